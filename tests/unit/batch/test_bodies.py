"""JSON bodies: byte for byte without references, and every value whole with them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.batch.compile import Compiler, Rules
from gateway.batch.jsonpath import PathRules
from gateway.batch.limits import Limits
from gateway.batch.lookup import Lookup
from gateway.batch.reference import Reference, Source, scan
from gateway.batch.template import Hole, Unfillable, fill_json, fill_text, texts_of
from gateway.errors import Problem
from gateway.jsontext import Node
from gateway.messages import Reason

ITEM = Reference(Source.ITEM)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=4), below, max_size=4),
    max_leaves=12,
)
NUMBERS = [
    "123456789012345678901234567890",
    "0.10000000000000000555",
    "1e2",
    "-0",
    "1.0",
    "18446744073709551616",
    "9007199254740993",
]


def compiler(problems: list[Problem] | None = None, **limits: int) -> Compiler:
    return Compiler(Rules(Limits(**limits)), [] if problems is None else problems)


def fill(body: bytes, value: bytes) -> bytes:
    return fill_json(compiler().json_body(body, "/body"), lambda _: value)


@given(JSON, st.sampled_from([None, 2]), st.booleans())
def test_a_body_without_references_stays_as_it_came(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps({"value": value, "other": "${other}", "$": "{"}, indent=indent, ensure_ascii=ascii_only).encode()
    assert compiler().json_body(text, "/body") == (text,)


@given(JSON, JSON)
def test_a_typed_hole_takes_the_value_as_it_is(around: Any, value: Any) -> None:
    body = json.dumps({"around": around, "hole": "${item}", "list": ["${item}"]}).encode()
    expected = {"around": around, "hole": value, "list": [value]}
    assert spell(json.loads(fill(body, json.dumps(value).encode()))) == spell(expected)


def spell(value: Any) -> str:
    return json.dumps(value)


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_keep_their_text(number: str) -> None:
    assert fill(b'{"a":"${item}","b":"n=${item}"}', number.encode()) == f'{{"a":{number},"b":"n={number}"}}'.encode()


@given(st.text(), st.text(alphabet="ab${}\\\"'\n"))
def test_a_value_inside_a_string_is_escaped_and_never_scanned_again(before: str, value: str) -> None:
    before = before.replace("$", "")
    filled = json.loads(fill(json.dumps([before + "|${item}"]).encode(), json.dumps(value).encode()))
    assert filled == [f"{before}|{value}"]


def test_escapes_of_every_spelling_are_undone() -> None:
    assert fill(b'["$${item}", "\\u0024{item}", "$\\u007Bitem}", "\\u0024${item}"]', b"1") == b'["${item}",1,1,"${item}"]'


def test_keys_are_literal() -> None:
    assert fill(b'{"${item}":"${item}"}', b"1") == b'{"${item}":1}'


def test_neighbouring_texts_become_one_part() -> None:
    body = b'{"a":[1,2,{"b":"x"}],"c":"${item}","d":[null]}'
    parts = compiler().json_body(body, "/body")
    assert parts == (b'{"a":[1,2,{"b":"x"}],"c":', Hole(ITEM, typed=True), b',"d":[null]}')


def test_every_bad_reference_has_its_pointer() -> None:
    problems: list[Problem] = []
    compiler(problems).json_body(b'{"a/b":["${item","x"],"c~":{"d":"${status=}"}}', "/requests/0/body")
    assert [problem.pointer for problem in problems] == ["/requests/0/body/a~1b/0", "/requests/0/body/c~0/d"]


def test_reading_references_ends_when_there_are_too_many() -> None:
    problems: list[Problem] = []
    bad = compiler(problems, references_per_operation=3)
    bad.json_body(json.dumps(["${item"] * 50).encode(), "")
    assert len(problems) == 4
    good = compiler(references_per_operation=3)
    good.json_body(json.dumps(["${item}"] * 50).encode(), "")
    assert len(good.references) == 4
    assert good.target("/a/${item}", "") == ("/a/", ITEM)


@pytest.mark.parametrize(
    ("value", "text"),
    [(b'"a"', "a"), (b"1.10", "1.10"), (b"true", "true"), (b"false", "false"), (b'[1, "b", 2.0]', "1,b,2.0"), (b'""', "")],
)
def test_scalars_and_lists_of_them_have_text(value: bytes, text: str) -> None:
    assert fill_text(scan("<${item}>", PathRules(), 9), lambda _: value) == f"<{text}>"


@pytest.mark.parametrize("value", [b"null", b"{}", b"[]", b"[[1]]", b"[null]", b'[{"a":1}]'])
def test_the_rest_has_none(value: bytes) -> None:
    with pytest.raises(Unfillable) as caught:
        texts_of(value, ITEM)
    assert caught.value.reason is Reason.REFERENCE_UNRESOLVED


def test_a_header_may_end_before_its_reference() -> None:
    problems: list[Problem] = []
    assert compiler(problems).header("Authorization", "Bearer ${item}", "/h") == ("authorization", ("Bearer ", ITEM))
    assert problems == []


@pytest.mark.parametrize("value", [" ${item}", "${item} ", "${item}\t", "a\n${item}"])
def test_but_not_begin_or_end_with_a_blank_of_its_own(value: str) -> None:
    problems: list[Problem] = []
    compiler(problems).header("x-a", value, "/h")
    assert [problem.reason for problem in problems] == [Reason.INVALID_HEADER]


@pytest.mark.parametrize("charset", ["rot13", "hex", "idna", "punycode", "undefined", "nonsense", "é", ""])
def test_a_charset_that_is_none_for_text_is_refused(charset: str) -> None:
    problems: list[Problem] = []
    assert compiler(problems).charset(f"text/plain; charset={charset}", "/b") == "utf-8"
    assert [problem.reason for problem in problems] == [Reason.INVALID_BODY]


@pytest.mark.parametrize(("charset", "known"), [("UTF-8", "utf-8"), ('"latin-1"', "iso8859-1"), ("windows-1252", "cp1252")])
def test_others_are_known_by_any_name(charset: str, known: str) -> None:
    assert compiler().charset(f"text/plain; charset={charset}", "/b") == known


def test_an_item_and_its_index_are_values_too() -> None:
    lookup = Lookup({}, [], Limits(value=9))
    resolve = lookup.resolve_for(Node(b' {"a":1.0} '), 3)
    references = scan("${index}${item}${item:$.a}", PathRules(), 9)
    assert [resolve(part) for part in references if isinstance(part, Reference)] == [b"3", b'{"a":1.0}', b"1.0"]
