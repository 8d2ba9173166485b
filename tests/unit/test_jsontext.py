"""JSON as text: what is let in, and that nothing changes on its way through."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.jsontext import Node, NotJson, check_document, dump, elements, fragment, inner_string, is_json, load, members

DEEP = 8

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(max_size=4), below, max_size=4), max_leaves=20
)
TEXTS = st.builds(
    lambda value, indent, ascii_only: json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode(errors="replace"),
    VALUES,
    st.sampled_from([None, 1]),
    st.booleans(),
)
PIECES = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b'"a"', b'"\\', b"\\\\", b"\\u", b"d800", b"\\ud83d\\ude00", b"0", b"-", b".5",
    b"1e", b"400", b"1" * 250, b"e99", b"null", b"NaN", b"Infinity", b"tru", b" ", b"\n", b"\x00", b"\xff", b"\xc3\xa9",
    b"\xef\xbb\xbf", b"//", b"'",
]  # fmt: skip


@st.composite
def almost_json(draw: st.DrawFn) -> bytes:
    """Valid JSON with pieces put in, taken out or put over."""
    text = draw(TEXTS)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(PIECES)) + text[at + draw(st.integers(0, 3)) :]
    return text


def oracle(text: bytes, depth: int) -> bool:
    """Whether the standard library, made strict, takes it."""
    try:
        decoded = text.decode()
        value = json.loads(decoded, parse_constant=refuse, parse_float=finite, parse_int=finite)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return measure(value) <= depth


def refuse(word: str) -> None:
    raise ValueError(word)


def finite(number: str) -> float:
    if math.isinf(float(number)):
        raise ValueError(number)
    return float(number)


def measure(value: Any) -> int:
    match value:
        case list():
            return 1 + max(map(measure, value), default=0)
        case dict():
            return 1 + max(map(measure, value.values()), default=0)
        case _:
            return 0


def accepts(text: bytes, depth: int = DEEP) -> bool:
    try:
        check_document(text, depth)
    except NotJson:
        return False
    return True


@given(almost_json() | st.binary(max_size=8) | st.lists(st.sampled_from(PIECES), max_size=6).map(b"".join))
@example(b'{"a":[{"a":[{"a":[{"a":[{"a":[1]}]}]}]}]}')
@example(b"1" * 300 + b"e99")
@example(b'"\\\\"')
@example(b'"\\\\\\"[[[[[[[[[["')
@example(b'{"a":1,"a":2}')
def test_a_document_is_what_a_strict_reader_takes(text: bytes) -> None:
    assert accepts(text) == oracle(text, DEEP)


@given(almost_json())
def test_what_may_stand_in_an_answer_reads_back(text: bytes) -> None:
    if is_json(text):
        json.loads(dump({"body": fragment(text)}))


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":', b'{"a":['])
@pytest.mark.parametrize("depth", [1, 7, 8, 9, 64])
def test_depth_counts_every_bracket(opening: bytes, depth: int) -> None:
    closing = {b"[": b"]", b"{": b"}"}
    opened = (opening * depth).replace(b'"a":', b"")[:depth]
    text = b"".join(b'{"a":' if bracket == ord("{") else b"[" for bracket in opened) + b"1"
    text += b"".join(closing[bytes([bracket])] for bracket in reversed(opened))
    assert accepts(text, depth)
    assert not accepts(text, depth - 1)


def test_brackets_in_strings_do_not_count() -> None:
    assert accepts(b'["[[[[{{{{", "\\"[[[[", "\\\\"]', 1)


@pytest.mark.parametrize(
    "number",
    ["1e400", "-1e400", "1" * 310, "1" * 300 + "e99", "1" * 5000, "1.5e309", "9" * 200 + "e109", "1e+0309"],
)
def test_a_number_beyond_a_double_is_refused(number: str) -> None:
    assert not accepts(f'{{"a": {number}}}'.encode())


@pytest.mark.parametrize("number", ["1e308", "9" * 308, "1e-400", "0e999", "0." + "1" * 5000, "18446744073709551616", "-0"])
def test_a_number_within_it_is_not(number: str) -> None:
    assert accepts(f"[{number}]".encode())
    load(number.encode())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "empty"),
        (b" \t\r\n", "empty"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a":"\xff"}', "byte 6"),
        (b'{"a" 1}', "byte 5"),
        (b'{"a":1', "cut short"),
        (b'"\\ud800"', "surrogate"),
        (b"[[[[[[[[[1]]]]]]]]]", "deeper than 8"),
        (b"[" * 100_000, "deeper than 8"),
    ],
)
def test_the_message_says_what_is_wrong_and_echoes_nothing(text: bytes, says: str) -> None:
    with pytest.raises(NotJson) as caught:
        check_document(text, DEEP)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 120


@given(VALUES)
def test_a_node_gives_each_value_its_own_text(value: Any) -> None:
    text = json.dumps(value, indent=1).encode()
    check(Node(b" " + text + b"\n"), value)


def check(node: Node, value: Any) -> None:
    assert json.loads(node.text()) == value
    assert node.text() == node.text().strip()
    match value:
        case dict():
            assert len(node) == len(value)
            for key, below in value.items():
                found = node.member(key)
                assert found is not None
                check(found, below)
            assert [json.loads(child.text()) for child in node.children()] == list(value.values())
        case list():
            assert node.is_array()
            assert len(node) == len(value)
            for index, below in enumerate(value):
                for found in (node.element(index), node.element(index - len(value))):
                    assert found is not None
                    check(found, below)
        case _:
            assert (node.member("a"), node.element(0), list(node.children()), len(node)) == (None, None, [], 0)


def test_a_node_knows_what_it_does_not_hold() -> None:
    listed, record = Node(b"[1,2]"), Node(b'{"a":1}')
    assert (listed.element(2), listed.element(-3), listed.member("0"), record.element(0), record.member("b")) == (None,) * 5
    assert not record.is_array()


def test_of_duplicate_keys_the_last_counts() -> None:
    assert {key: bytes(raw) for key, raw in (members(b'{"a":1,"a":2.0}') or {}).items()} == {"a": b"2.0"}


def test_a_container_is_opened_only_as_what_it_is() -> None:
    assert members(b"[1]") is None
    assert elements(b"{}") is None
    assert [bytes(raw) for raw in elements(b"[1.10, 2]") or []] == [b"1.10", b"2"]


@given(st.text())
def test_inner_string_stands_between_quotes(text: str) -> None:
    assert json.loads(b'"' + inner_string(text) + b'"') == text
