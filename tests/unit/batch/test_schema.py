"""JSON Schema: what is accepted, exactly, and what is said about the rest."""

from typing import Any

import pytest

from gateway.batch.schema import BadSchema, Schema

INT64 = {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1}


def problems(schema: dict[str, Any], text: str) -> list[tuple[str, str]]:
    return Schema(schema, "the element").problems(text.encode())


def field(schema: dict[str, Any], value: str) -> list[tuple[str, str]]:
    return problems({"properties": {"a": schema}}, f'{{"a": {value}}}')


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        ({"type": "string"}, "5", "a must be a string, got 5"),
        ({"type": ["number", "string", "boolean"]}, "null", "a must be true or false or a number or a string, got null"),
        ({"type": "integer"}, "1.5", "a must be a whole number, got 1.5"),
        ({"type": "integer"}, "true", "a must be a whole number, got true"),
        ({"type": "object"}, "[1]", "a must be an object, got a list"),
        ({"type": "array"}, "{}", "a must be a list, got an object"),
        ({"minimum": 1}, "0", "a must be at least 1, got 0"),
        ({"maximum": 99}, "100", "a must be at most 99, got 100"),
        ({"exclusiveMinimum": 0}, "0", "a must be more than 0, got 0"),
        ({"exclusiveMaximum": 1}, "1", "a must be less than 1, got 1"),
        ({"multipleOf": 2}, "3", "a must be a multiple of 2, got 3"),
        ({"enum": ["TXN", "ANY", 1]}, '"x"', 'a must be "TXN" or "ANY" or 1, got "x"'),
        ({"const": None}, "1", "a must be null, got 1"),
        ({"minLength": 1}, '""', 'a must have at least 1 character, got ""'),
        ({"maxItems": 2}, "[1, 2, 3]", "a must have at most 2 elements, got a list"),
        ({"pattern": "^[a-z]+$"}, '"A"', 'a must match ^[a-z]+$, got "A"'),
        ({"format": "date"}, '"today"', 'a must have the format date, got "today"'),
        ({"uniqueItems": True}, "[1, 1]", "a is wrong: it has non-unique elements"),
        ({"maxLength": 1}, '"' + "x" * 99 + '"', f'a must have at most 1 character, got "{"x" * 40}…"'),
    ],
)
def test_a_message_names_the_field_what_it_must_be_and_what_was_found(schema: Any, value: str, message: str) -> None:
    assert field(schema, value) == [("/a", message)]


def test_what_is_missing_or_too_much_is_named() -> None:
    schema = {"required": ["a"], "properties": {"a": {}}, "additionalProperties": False}
    found = [("/b~1c", "b/c is not allowed"), ("/a", "a is required")]
    assert sorted(problems(schema, '{"b/c": 1}')) == sorted(found)
    assert problems({"additionalProperties": False}, '{"b": 1, "c": 2}') == [
        ("/b", "b is not allowed"),
        ("/c", "c is not allowed"),
    ]
    nested = {"properties": {"a": {"items": {"required": ["b"]}}}}
    assert problems(nested, '{"a": [{"b": 1}, {}]}') == [("/a/1/b", "a.1.b is required")]


def test_one_of_several_fields_is_told_as_one_thing() -> None:
    schema = {"anyOf": [{"required": ["user_id"]}, {"required": ["device_id"]}]}
    assert problems(schema, "{}") == [("", "user_id or device_id is required")]
    assert problems(schema, '{"device_id": 1}') == []
    other = {"anyOf": [{"required": ["a"]}, {"type": "string"}]}
    assert problems(other, "{}") == [
        ("", "the element is wrong: it is not valid under any of the schemas listed in the 'anyOf' keyword")
    ]


def test_the_whole_value_has_the_name_it_was_given() -> None:
    assert problems({"type": "object"}, "5") == [("", "the element must be an object, got 5")]
    assert problems({"not": {}}, "5")[0][1].startswith("the element is wrong: ")
    assert field({"properties": {"b": False}}, '{"b": 1}') == [("/a/b", "a.b is not allowed")]


@pytest.mark.parametrize("number", ["9223372036854775807", "-9223372036854775808", "0", "1.0", "1e3", "-0"])
def test_int64_is_exact(number: str) -> None:
    assert field(INT64, number) == []


@pytest.mark.parametrize(
    "number", ["9223372036854775808", "-9223372036854775809", "9223372036854775808.0", "9223372036854775807.5", "1" * 300]
)
def test_and_so_is_its_end(number: str) -> None:
    assert field(INT64, number) != []


def test_large_numbers_and_long_fractions_are_not_rounded() -> None:
    assert field({"const": 2**64 + 1}, str(2**64 + 1)) == []
    assert field({"const": 2**64 + 1}, str(2**64)) != []
    assert field({"multipleOf": 0.1}, "0.3") == []
    assert field({"exclusiveMinimum": 0}, "1e-400") == []
    assert field({"type": "integer"}, "0e99999999999999999999") == []


def test_a_field_given_twice_is_wrong() -> None:
    assert problems({}, '{"a": 1, "b": {"c": 1, "c": 1, "\\u0063": 2}, "a": 2}') == [
        ("", "c is given twice"),
        ("", "a is given twice"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a" :2}',
        '{"a": "x:y", "a": 1}',
        '{"a": {"b": 1, "b": 1}, "c": ":"}',
        '{"a": 1, "\\u0061": ":"}',
        '{"a": 1, "a": "\\u003a"}',
        '{"a": 1, "a": "\\u003A"}',
    ],
)
def test_however_it_is_spelled(text: str) -> None:
    assert [message for _, message in problems({}, text)] in (["a is given twice"], ["b is given twice"])


def test_a_colon_in_a_text_is_no_field() -> None:
    assert problems({"required": ["a"]}, '{"a": "12:30:00", "b": [{"c": "http://a:1"}]}') == []


def test_there_is_an_end_to_what_is_told() -> None:
    schema = {"additionalProperties": {"type": "string"}}
    many = "{" + ",".join(f'"k{number}": 1' for number in range(1000)) + "}"
    assert len(problems(schema, many)) == 20
    assert len(problems({"properties": {"a": {}}, "additionalProperties": False}, many)) == 20


def test_values_are_checked_as_well_as_texts() -> None:
    assert Schema({"type": "integer"}, "page").problems_of("x") == [("", 'page must be a whole number, got "x"')]


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"type": "objekt"}, "/type"),
        ({"properties": {"a/b": {"minimum": "x"}}}, "/properties/a~1b/minimum"),
        ({"pattern": "("}, "/pattern"),
        ({"$ref": "#/nope"}, ""),
        ({"$ref": "http://example.test/schema"}, ""),
        (5, ""),
    ],
)
def test_what_is_no_schema_is_refused_with_its_place_and_nothing_is_fetched(document: Any, pointer: str) -> None:
    with pytest.raises(BadSchema) as caught:
        Schema(document)
    assert caught.value.pointer == pointer
    assert caught.value.detail
