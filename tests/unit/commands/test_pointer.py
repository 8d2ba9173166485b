"""A JSON Pointer leads to a line and a column."""

import pytest

from gateway.commands.pointer import Place, find_place

_TEXT = """{
  "requests": [
    {"name": "a", "path": "/a"},
    {
      "name": "b}]\\"",
      "headers": {"x/y": "1", "~": null},
      "path": "/b"
    }
  ],
  "timeout": 5, "timeout": 6
}
"""


@pytest.mark.parametrize(
    ("pointer", "place"),
    [
        ("", Place(1, 1)),
        ("/requests", Place(2, 15)),
        ("/requests/0", Place(3, 5)),
        ("/requests/0/path", Place(3, 27)),
        ("/requests/1/path", Place(7, 15)),
        ("/requests/1/headers/x~1y", Place(6, 26)),
        ("/requests/1/headers/~0", Place(6, 36)),
    ],
)
def test_a_pointer_leads_to_the_beginning_of_its_value(pointer: str, place: Place) -> None:
    assert find_place(_TEXT, pointer) == place


@pytest.mark.parametrize(
    ("pointer", "nearest"),
    [
        ("/requests/0/method", Place(3, 5)),
        ("/requests/7", Place(2, 15)),
        ("/timeout/x", Place(10, 28)),
        ("/nothing", Place(1, 1)),
    ],
)
def test_what_does_not_exist_leads_to_what_it_is_missing_from(pointer: str, nearest: Place) -> None:
    assert find_place(_TEXT, pointer) == nearest


def test_of_duplicate_members_the_last_is_meant() -> None:
    assert find_place(_TEXT, "/timeout") == Place(10, 28)


@pytest.mark.parametrize("text", ["", "  ", "{", '{"requests"', '{"requests": [', '{"requests": [}', "[" * 100_000])
def test_a_text_that_is_no_json_has_no_places(text: str) -> None:
    assert find_place(text, "/requests/0") is None


def test_what_is_no_pointer_leads_nowhere() -> None:
    assert find_place(_TEXT, "requests") is None
