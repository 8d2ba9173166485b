"""Fields of a client's object: each has its type, or a problem with a pointer."""

import json
from typing import Any

import pytest

from gateway.dialects.fields import Fields, describe
from gateway.errors import Problem
from gateway.jsontext import Raw, members
from gateway.messages import Reason


def read(text: str) -> tuple[Fields, list[Problem]]:
    problems: list[Problem] = []
    fields = members(text.encode())
    assert fields is not None
    return Fields(fields, "/at", problems), problems


def test_a_field_that_is_absent_is_none_and_no_problem() -> None:
    fields, problems = read("{}")
    assert [fields.string("x"), fields.boolean("x"), fields.milliseconds("x"), fields.choice("x", ("a",))] == [None] * 4
    assert fields.names("x") == ()
    assert "x" not in fields
    assert problems == []


def test_fields_have_their_values() -> None:
    fields, problems = read('{"s": "é", "b": false, "c": "two", "n": ["a", "b"], "m": 1500.5}')
    assert fields.string("s") == "é"
    assert fields.boolean("b") is False
    assert fields.choice("c", ("one", "two")) == "two"
    assert fields.names("n") == ("a", "b")
    assert fields.milliseconds("m") == 1.5005
    assert problems == []


@pytest.mark.parametrize("value", ["1", "null", "true", "[]", "{}"])
def test_another_type_than_a_string_is_a_problem(value: str) -> None:
    fields, problems = read(f'{{"x": {value}}}')
    assert fields.string("x") is None
    assert [(problem.pointer, problem.reason) for problem in problems] == [("/at/x", Reason.INVALID_ENVELOPE)]


@pytest.mark.parametrize("value", ["0", "-1", '"5"', "true", "null", "[]"])
def test_milliseconds_are_a_number_above_0(value: str) -> None:
    fields, problems = read(f'{{"timeout": {value}}}')
    assert fields.milliseconds("timeout") is None
    assert [problem.pointer for problem in problems] == ["/at/timeout"]


def test_a_name_that_is_none_is_pointed_at() -> None:
    fields, problems = read('{"x": ["a", 1, 2]}')
    assert fields.names("x") == ()
    assert problems == [Problem("/at/x/1", Reason.INVALID_ENVELOPE, "x holds names, got 1")]


def test_pointers_escape_slashes_and_tildes() -> None:
    fields, problems = read('{"a/b~c": 1}')
    fields.check_known(("path",), "an operation")
    assert problems[0].pointer == "/at/a~1b~0c"


@pytest.mark.parametrize(("written", "meant"), [("methd", "method"), ("depends_on", "dependsOn"), ("FOREACH", "forEach")])
def test_an_unknown_field_says_what_was_meant(written: str, meant: str) -> None:
    fields, problems = read(json.dumps({written: 1}))
    fields.check_known(("method", "dependsOn", "forEach"), "an operation")
    assert f"did you mean {meant}?" in problems[0].detail


def test_an_unknown_field_like_no_other_lists_what_there_is() -> None:
    fields, problems = read('{"zzz": 1}')
    fields.check_known(("path", "method"), "an operation")
    assert problems[0].detail == "an operation has no field 'zzz'; it has path, method"


def test_many_unknown_fields_are_told_in_one_problem_after_the_first() -> None:
    fields, problems = read(json.dumps({f"x{n}": 1 for n in range(1000)}))
    fields.check_known(("path",), "an operation")
    assert len(problems) == 21
    assert problems[-1] == Problem("/at", Reason.INVALID_ENVELOPE, "an operation has none of 980 more fields")


def test_an_object_may_be_a_string_that_holds_one() -> None:
    fields, _ = read(r'{"plain": {"a": 1}, "string": "{\"a\": 1}"}')
    assert keys(fields.opened("plain", 64)) == keys(fields.opened("string", 64)) == ["a"]


@pytest.mark.parametrize("value", ['"text"', '"[1]"', '"{"', "1", "null", r'"{\"a\": {\"b\": 1}}"'])
def test_what_holds_no_object_opens_as_none(value: str) -> None:
    fields, _ = read(f'{{"x": {value}}}')
    assert fields.opened("x", 1) is None


def keys(opened: dict[str, Raw] | None) -> list[str]:
    assert opened is not None
    return list(opened)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("x" * 99, "a string"),
        ([1], "a list"),
        ({}, "an object"),
        (True, "true"),
        (None, "null"),
        (12, "12"),
        (10**40, "1" + "0" * 19),
    ],
)
def test_a_value_is_described_without_repeating_it(value: Any, said: str) -> None:
    assert describe(Raw(json.dumps(value).encode())) == said
