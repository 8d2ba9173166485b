"""Kinds of operation: what they make of an element, and what is refused when the configuration is read."""

import json
from typing import Any

import pytest

from gateway.batch.catalog import Kind, Written, compile_kind
from gateway.batch.compile import Rules
from gateway.batch.operation import Envelope
from gateway.batch.plan import Planning, make_plan
from gateway.execution.budget import Budget
from gateway.execution.scheduler import execute
from gateway.messages import Request
from tests.support.batches import CONTEXT, PLENTY, ROUTES, Script, engine

RULES = Rules(parameters=True)
QUERY = b'{"customerId":"acme"}'


def kind(*paths: str, body: Any = None, **fields: Any) -> Kind:
    if body is not None:
        fields |= {"body": json.dumps(body).encode(), "passes_element": False}
    made, problems = compile_kind("k", Written(True, paths, **fields), RULES)
    assert problems == []
    assert made is not None
    return made


def problems(*paths: str, **fields: Any) -> list[tuple[str, str]]:
    made, found = compile_kind("k", Written(fields.pop("schema", True), paths or ("/users",), **fields), RULES)
    assert made is None
    return [(problem.pointer, problem.detail) for problem in found]


async def send(made: Kind, *texts: bytes) -> list[Request]:
    script = Script()
    operations = tuple(made.make_operation(text, QUERY, f"/batch/{index}") for index, text in enumerate(texts))
    await execute(make_plan(Envelope(operations), ROUTES, RULES.limits), engine(script, RULES), CONTEXT, Budget(PLENTY))
    return script.requests


async def test_an_element_is_the_body_byte_for_byte() -> None:
    element = b'{ "id" : 1.0 , "n":123456789012345678901234567890, "t": "${param} \\u0024{item}" }'
    (request,) = await send(kind("/users"), element)
    assert (request.method, request.target, request.body) == ("POST", "/users", element)
    assert ("content-type", "application/json") in request.headers


async def test_a_template_chooses_what_is_sent_instead() -> None:
    made = kind(
        "/users/${param:$.element.id}?of=${param:$.query.customerId}",
        method="PUT",
        headers={"x-kind": "of ${param:$.element.id}"},
        body={"id": "${param:$.element.id}", "by": "customer ${param:$.query.customerId}"},
    )
    requests = await send(made, b'{"id": 7}', b'{"id": "a/b"}')
    assert [request.target for request in requests] == ["/users/7?of=acme", "/users/a%2Fb?of=acme"]
    assert [request.body for request in requests] == [
        b'{"id":7,"by":"customer acme"}',
        b'{"id":"a/b","by":"customer acme"}',
    ]
    assert dict(requests[0].headers)["x-kind"] == "of 7"


async def test_no_element_passes_for_the_query() -> None:
    element = b'{"query": {"customerId": "other"}, "customerId": "other", "element": 1}'
    (request,) = await send(kind("/users?of=${param:$.query.customerId}"), element)
    assert request.target == "/users?of=acme"


@pytest.mark.parametrize("customer", ["acme", "a b&c=d/\u00e9?${param}", "x" * 300])
@pytest.mark.parametrize(
    "path",
    [
        "/users?of=${param:$.query.customerId}",
        "/users/${param:$.query.customerId}?a=${param:$.query.customerId}&b=${param:$.element.b}c",
    ],
)
async def test_filling_in_the_query_once_for_all_changes_nothing(path: str, customer: str) -> None:
    made, query = kind(path), json.dumps({"customerId": customer}).encode()
    sent = []
    for one in (made, made.with_query(query)):
        script = Script()
        envelope = Envelope((one.make_operation(b'{"b": 1}', query, "/batch/0"),))
        await execute(make_plan(envelope, ROUTES, RULES.limits), engine(script, RULES), CONTEXT, Budget(PLENTY))
        sent += [request.target for request in script.requests]
    assert sent[0] == sent[1]
    assert len(sent) == 2


def test_parameters_stand_only_with_what_reads_them_and_no_route_is_looked_up_twice() -> None:
    path = "/users?of=${param:$.query.customerId}"
    reading = (
        kind("/users/${param:$.element.b}"),
        kind(path, headers={"x": "${param:$.element.b}"}),
        kind(path, body="${param}"),
    )
    operations = [one.with_query(QUERY).make_operation(b'{"b": 1}', QUERY, "/x") for one in (kind(path), *reading)]
    assert [one.parameters is not None for one in operations] == [False, True, True, True]
    steps = make_plan(Envelope(tuple(operations)), ROUTES, RULES.limits).steps
    assert [step.settled for step in steps] == [False, True, False, False]
    assert Planning(Envelope(tuple(operations)), ROUTES, RULES.limits).plan().steps == steps


def test_what_is_left_to_fill_is_what_the_element_has() -> None:
    filled = kind("/users?of=${param:$.query.customerId}&n=1").with_query(QUERY)
    assert [target for _, target in filled.targets] == [("/users?of=acme&n=1",)]
    nothing = kind("/users?of=${param:$.query.nothing}").with_query(QUERY)
    assert len(nothing.targets[0][1]) == 2


async def test_the_first_path_is_taken_whose_references_have_values() -> None:
    made = kind("/users/${param:$.element.id}", "/users/of/${param:$.element.device}", "/users")
    requests = await send(made, b'{"id": 1}', b'{"device": "d"}', b"{}", b'{"id": null}', b'{"id": 1, "device": 2}')
    assert [request.target for request in requests] == ["/users/1", "/users/of/d", "/users", "/users", "/users/1"]


async def test_a_body_can_be_left_out() -> None:
    (read,) = await send(kind("/users/${param:$.element.id}", method="GET"), b'{"id": 1}')
    (bare,) = await send(kind("/users", method="DELETE", body=None, passes_element=False), b'{"id": 1}')
    assert (read.body, bare.body) == (None, None)
    assert "content-type" not in dict(bare.headers)


def test_fifty_elements_do_not_use_up_what_a_batch_may_refer_to() -> None:
    made = kind("/users/" + "${param:$.element.id}" * 8)
    operations = tuple(made.make_operation(b'{"id": 1}', QUERY, "/x") for _ in range(50))
    assert len(make_plan(Envelope(operations), ROUTES, RULES.limits).steps) == 50


@pytest.mark.parametrize("reference", ["${result=a:$.id}", "${status=a}", "${header=a:b}", "${item}", "${index}"])
def test_a_kind_reads_nothing_but_parameters(reference: str) -> None:
    detail = f"{reference} has nothing to read here: a kind reads ${{param:$.element…}} and ${{param:$.query…}}"
    assert problems(f"/users/{reference}") == [("/path/0", detail)]


def test_everything_wrong_with_a_kind_is_told_at_once() -> None:
    found = problems(
        "users", "/a/${param:nope}", headers={"host": "x", "x": "${param"}, body=b'{"a": ["${param:}"]}', schema={"type": "x"}
    )
    assert [pointer for pointer, _ in found] == [
        "/path/0", "/path/1", "/headers/host", "/headers/x", "/body/a/0", "/schema/type",
    ]  # fmt: skip


def test_a_method_without_a_body_has_none() -> None:
    assert problems(method="GET", body=b"{}") == [("/body", "GET takes no body")]


def test_references_are_counted() -> None:
    assert problems("/users/" + "${param:$.element.id}" * 33)[0] == ("", "more than 32 references in one kind")
