"""Scanning a text for references."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.batch.jsonpath import PathRules, compile_path
from gateway.batch.reference import BadReference, Reference, Source, scan

RULES = PathRules()
ID = compile_path("$.id", RULES)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("plain", ("plain",)),
        ("${other}", ("${other}",)),
        ("$", ("$",)),
        ("${", ("${",)),
        ("$${result=a:$}", ("${result=a:$}",)),
        ("a$${b", ("a${b",)),
        ("${index}", (Reference(Source.INDEX),)),
        ("${item}", (Reference(Source.ITEM),)),
        ("${item:$.id}", (Reference(Source.ITEM, path=ID),)),
        ("${result=a:$.id}", (Reference(Source.RESULT, "a", ID),)),
        ("${status=a}", (Reference(Source.STATUS, "a"),)),
        ("${header=a:X-Id}", (Reference(Source.HEADER, "a", field="x-id"),)),
        ("a${index}b${item}c", ("a", Reference(Source.INDEX), "b", Reference(Source.ITEM), "c")),
        ("${status=it's}", (Reference(Source.STATUS, "it's"),)),
        ("${result=a:$['}']}", (Reference(Source.RESULT, "a", compile_path("$['}']", RULES)),)),
        ("${result=a:$['\\'}']}", (Reference(Source.RESULT, "a", compile_path("$['\\'}']", RULES)),)),
        ('${result=a:$["it\'s}"]}', (Reference(Source.RESULT, "a", compile_path('$["it\'s}"]', RULES)),)),
        ("${status=a\n}}", (Reference(Source.STATUS, "a\n"), "}")),
        ("${resultx}", ("${resultx}",)),
        ("${indexes}", ("${indexes}",)),
    ],
)
def test_what_is_literal_and_what_is_a_reference(text: str, parts: tuple[str | Reference, ...]) -> None:
    assert scan(text, RULES, 9) == parts


@pytest.mark.parametrize(
    "text",
    ["${result=a}", "${result=:$}", "${result=a:}", "${result=a:id}", "${result=a:$.id", "${status=}", "${status=a:b}",
     "${header=a}", "${header=a:}", "${header=a:x y}", "${header=:x}", "${item.id}", "${items}", "${item:}", "${result=a{b:$}",
     "${result=a:$['}", "${item"],
)  # fmt: skip
def test_what_opens_a_reference_must_finish_it(text: str) -> None:
    with pytest.raises(BadReference, match="column 3"):
        scan(f"ab{text}", RULES, 9)


@given(st.lists(st.sampled_from(["${result=a:$.id}", "${status=a}", "${header=a:x}", "${item}", "${index}", "${item:$.id}"])))
def test_a_reference_spells_itself(texts: list[str]) -> None:
    assert "".join(str(part) for part in scan("".join(texts), RULES, 99)) == "".join(texts)


@given(st.text(alphabet="${}=:resultitemindexstatusheader'\"\\ab.[]*", max_size=40))
def test_any_text_is_scanned_or_refused(text: str) -> None:
    try:
        parts = scan(text, RULES, 9)
    except BadReference:
        return
    assert all(isinstance(part, Reference) or part for part in parts)


@given(st.text(max_size=20))
def test_an_escaped_text_is_itself(text: str) -> None:
    whole = "".join(part for part in scan(text.replace("${", "$${"), RULES, 9) if isinstance(part, str))
    assert whole == text.replace("$${", "${") or "$${" in text


def test_no_more_is_read_than_wanted() -> None:
    assert scan("${index}${index}${result=", RULES, 2) == (Reference(Source.INDEX), Reference(Source.INDEX), "${result=")
