import json
from typing import Any

import pytest

from gateway.dialects.query import read_query
from gateway.errors import Refusal
from gateway.messages import Reason

LISTS: dict[str, Any] = {
    "ids": {"type": "array", "items": {"type": "integer"}},
    "words": {"type": "array", "items": {"type": "string"}},
    "any": {"type": "array"},
}


def read(query: str, **properties: Any) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in read_query(query, properties).items()}


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "integer"}, "42", 42),
        ({"type": "integer"}, "-0", 0),
        ({"type": "integer"}, "042", "042"),
        ({"type": "integer"}, "4.5", "4.5"),
        ({"type": "integer"}, "", ""),
        ({"type": "integer"}, "%2042", " 42"),
        ({"type": "number"}, "4.50", 4.5),
        ({"type": "number"}, "1e3", 1000.0),
        ({"type": "number"}, "1e999", "1e999"),
        ({"type": "number"}, "NaN", "NaN"),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "True", "True"),
        ({"type": "string"}, "42", "42"),
        ({"type": "string"}, "a+b%2Bc", "a b+c"),
        ({"type": "string"}, "caf%C3%A9", "café"),
        ({"type": ["integer", "string"]}, "42", 42),
        ({"type": ["string", "integer"]}, "42", "42"),
        ({"type": ["integer", "null"]}, "", None),
        ({"enum": [1, 2]}, "2", 2),
        ({"enum": ["1", "2"]}, "2", "2"),
        ({"enum": [True, 0.5]}, "0.5", 0.5),
        ({}, "42", "42"),
        (True, "42", "42"),
        ({"type": "object"}, "{}", "{}"),
    ],
)
def test_a_parameter_has_the_type_of_its_schema_where_its_text_can(schema: Any, text: str, value: Any) -> None:
    found = read(f"p={text}", p=schema)["p"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("ids=1,2", [1, 2]),
        ("ids=1&ids=2", [1, 2]),
        ("ids=1%2C2", [1, 2]),
        ("ids=1,2&ids=3", [1, 2, 3]),
        ("ids=7", [7]),
        ("ids=", []),
        ("ids=1,x", [1, "x"]),
        ("ids=1,,2", [1, "", 2]),
        ("words=a,b", ["a", "b"]),
        ("words=a%2Cb,c", ["a,b", "c"]),
        ("any=1,2", ["1", "2"]),
    ],
)
def test_a_list_is_a_repeated_name_or_has_commas(query: str, value: list[Any]) -> None:
    (found,) = read(query, **LISTS).values()
    assert found == value


def test_what_is_repeated_and_no_list_becomes_one_for_the_schema_to_refuse() -> None:
    assert read("id=1&id=2", id={"type": "integer"}) == {"id": [1, 2]}


def test_numbers_keep_their_text() -> None:
    properties = {"id": {"type": "integer"}, "price": {"type": "number"}}
    assert read_query("id=123456789012345678901234567890&price=1.10", properties) == {
        "id": b"123456789012345678901234567890",
        "price": b"1.10",
    }


@pytest.mark.parametrize("length", [64, 65, 5000])
def test_a_number_has_an_end(length: int) -> None:
    assert read_query(f"id={'1' * length}", {"id": {"type": "integer"}})["id"].startswith(b'"') == (length > 64)


@pytest.mark.parametrize(
    ("query", "found"),
    [("", {}), ("&&", {}), ("a", {"a": ""}), ("=1", {"": "1"}), ("a=b=c", {"a": "b=c"}), ("%61=1", {"a": "1"})],
)
def test_the_forms_a_query_has(query: str, found: dict[str, str]) -> None:
    assert read(query) == found


def test_a_query_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        read("a=%FF")
    assert (caught.value.status, caught.value.reason) == (422, Reason.INVALID_PARAMETER)
