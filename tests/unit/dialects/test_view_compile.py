from typing import Any

import pytest

from gateway.batch.compile import Rules
from gateway.dialects.view_compile import BadView, Flaw, compile_view
from tests.support.batches import ROUTES, envelope

ONE = envelope({"name": "user", "path": "/users/${param:$.id}"})
ID: dict[str, Any] = {"properties": {"id": {"type": "integer"}}}


def flaws(body: bytes = ONE, schema: dict[str, Any] = ID, select: Any = None) -> list[Flaw]:
    with pytest.raises(BadView) as caught:
        compile_view(body, schema, select, Rules(), ROUTES)
    return caught.value.flaws


def test_a_view_is_compiled_once_for_all_requests() -> None:
    view = compile_view(ONE, ID | {"additionalProperties": False}, {"user": "$.user"}, Rules(), ROUTES)
    (operation,) = view.envelope.operations
    assert [str(reference) for _, reference in operation.references] == ["${param:$.id}"]
    assert view.select is not None
    assert [name for name, _ in view.select.paths] == ["user"]


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"type": "integer"}, Flaw("parameters", "/type", "must be object: parameters have names")),
        (
            {"properties": {"id": {"type": "int"}}},
            Flaw("parameters", "/properties/id/type", "is no JSON Schema: "),
        ),
        (
            {"properties": {"id": {"type": "integer", "default": "x"}}},
            Flaw("parameters", "/properties/id/default", 'does not fit its own schema: id must be a whole number, got "x"'),
        ),
    ],
)
def test_what_is_wrong_with_a_schema(schema: dict[str, Any], found: Flaw) -> None:
    (flaw,) = [flaw for flaw in flaws(schema=schema) if flaw.field == "parameters"]
    assert (flaw.pointer, flaw.detail[: len(found.detail)]) == (found.pointer, found.detail)


def test_defaults_need_not_be_all_that_is_required() -> None:
    schema = {"required": ["id"], "properties": {"id": {}, "limit": {"type": "integer", "default": 3}}}
    assert compile_view(ONE, schema, None, Rules(), ROUTES).parameters.defaults == {"limit": b"3"}


def test_a_parameter_that_there_is_none_of() -> None:
    body = envelope({"path": "/users/${param:$.id}", "requests": [{"path": "/any?a=${param:$.idd}"}]})
    assert flaws(body) == [
        Flaw("envelope", "/requests/0/requests/0/path", "is refused: ${param:$.idd} names none of the parameters")
    ]


def test_every_problem_of_the_envelope_is_told() -> None:
    found = flaws(envelope({"path": "/nowhere"}, {"path": "/any", "dependsOn": ["x"]}, {"path": "/any", "mehtod": "GET"}))
    assert [(flaw.field, flaw.pointer) for flaw in found] == [
        ("envelope", "/requests/0/path"),
        ("envelope", "/requests/1/dependsOn/0"),
        ("envelope", "/requests/2/mehtod"),
    ]


@pytest.mark.parametrize(
    ("select", "pointer", "detail"),
    [
        ("$.usr", "", "is refused: '$.usr' begins with the name of no operation"),
        ("user", "", "is refused: a JSONPath starts with $"),
        ({"a": "$.user", "b": "$.usr.id"}, "/b", "is refused: '$.usr.id' begins with the name of no operation"),
        ({"errors": "$.user"}, "/errors", "is refused: that is where the answer says what failed"),
        ({}, "", "must not be empty"),
    ],
)
def test_what_is_wrong_with_select(select: Any, pointer: str, detail: str) -> None:
    assert flaws(select=select) == [Flaw("select", pointer, detail)]


def test_problems_of_all_three_are_told_at_once() -> None:
    found = flaws(envelope("/nowhere"), {"type": "integer"}, "user")
    assert [flaw.field for flaw in found] == ["parameters", "envelope", "select"]


@pytest.mark.parametrize(
    ("select", "reads"), [("$.user.id", {"user"}), ("$.*", {"user", "b"}), ("$", {"user", "b"}), ("$['b']", {"b"})]
)
def test_a_single_path_knows_what_it_reads(select: str, reads: set[str]) -> None:
    body = envelope({"name": "user", "path": "/users/1"}, {"name": "b", "path": "/any"})
    assert compile_view(body, {}, select, Rules(), ROUTES).reads == reads
