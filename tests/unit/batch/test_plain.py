"""What needs no second look: one that does is found among those that do not."""

import pytest

from gateway.batch.plain import are_plain_names, are_plain_targets


@pytest.mark.parametrize("names", [[], ["a"], ["a", "it's", "ä b", "1"], ["n" * 12, "a"]])
def test_names_that_operations_can_have(names: list[str]) -> None:
    assert are_plain_names(names, 12)


@pytest.mark.parametrize("name", ["", "x:y", "{", "a\n", "\x7f", "__proto__", "n" * 13])
def test_a_name_that_no_operation_can_have(name: str) -> None:
    assert not are_plain_names(["a", name, "b"], 12)
    assert not are_plain_names([name], 12)


@pytest.mark.parametrize("texts", [[], ["/"], ["/users/1?a=b,c*", "/", "/a/b.c"], ["/" + "p" * 19, "/a"]])
def test_targets_that_are_sent_as_they_are(texts: list[str]) -> None:
    assert are_plain_targets(texts, 20)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a/b",
        "/a\n",
        "\n/a",
        "/a\n/b",
        "\n",
        "//a",
        "/a//",
        "/.",
        "/a/../b",
        "/%41",
        "/ä",
        "/a b",
        "/${index}",
        "/" + "p" * 20,
    ],
)
def test_a_target_that_has_to_be_looked_at(text: str) -> None:
    assert not are_plain_targets(["/a", text, "/b"], 20)
    assert not are_plain_targets([text], 20)
