"""Parameters: `${param…}` in a template, and the JSON object that stands with its operation."""

import json
from typing import Any

import pytest

from gateway.batch.compile import Compiler, Rules
from gateway.batch.jsonpath import PathRules
from gateway.batch.limits import Limits
from gateway.batch.operation import Envelope, JsonBody, Operation
from gateway.batch.plan import Planning, make_plan
from gateway.batch.reference import BadReference, Reference, Source, scan
from gateway.batch.results import Result
from gateway.dialects.dialect import Asked
from gateway.errors import Refusal
from gateway.execution.budget import Budget
from gateway.execution.scheduler import execute
from gateway.messages import Failure, Reason, Request
from tests.support.batches import CONTEXT, NATIVE, PLENTY, ROUTES, Script, engine, ok

RULES = Rules(parameters=True)


def operation(path: str, parameters: bytes | None, method: str = "GET", **fields: Any) -> Operation:
    """An operation whose texts may hold references to its parameters."""
    compiler = Compiler(RULES, [])
    target = compiler.target(path, "/path")
    headers = tuple(compiler.header(name, text, "/headers") for name, text in fields.get("headers", {}).items())
    body = JsonBody(compiler.json_body(json.dumps(fields["body"]).encode(), "/body")) if "body" in fields else None
    for_each = compiler.for_each(fields["for_each"], "/forEach") if "for_each" in fields else None
    assert compiler.problems == []
    return Operation(
        pointer=f"/{fields.get('name', 'x')}",
        path=path,
        target=target,
        name=fields.get("name"),
        method=method,
        headers=headers,
        body=body,
        content_type="application/json" if body else None,
        for_each=for_each,
        references=tuple(compiler.references),
        parameters=parameters,
    )


async def run(*operations: Operation, answers: dict[str, Any] | None = None) -> tuple[list[Request], tuple[Result, ...]]:
    script = Script()
    script.answers = {target: ok(value) for target, value in (answers or {}).items()}
    plan = make_plan(Envelope(operations), ROUTES, RULES.limits)
    ended = await execute(plan, engine(script, RULES), CONTEXT, Budget(PLENTY))
    return script.requests, ended.results


async def test_a_parameter_stands_wherever_a_reference_may() -> None:
    one = operation(
        "/users/${param:$.name}?at=${param:$.at}&ids=${param:$.ids[*]}",
        b'{"name": "a b", "at": 1.10, "ids": [1, "c/d"], "deep": {"n": 12345678901234567890}}',
        "POST",
        headers={"x-name": "of ${param:$.name}"},
        body={"all": "${param:$.deep}", "text": "at ${param:$.at}", "whole": "${param}"},
    )
    (request,), _ = await run(one)
    assert request.target == "/users/a%20b?at=1.10&ids=1,c%2Fd"
    assert dict(request.headers)["x-name"] == "of a b"
    whole = b'{"name": "a b", "at": 1.10, "ids": [1, "c/d"], "deep": {"n": 12345678901234567890}}'
    assert request.body == b'{"all":{"n": 12345678901234567890},"text":"at 1.10","whole":' + whole + b"}"


@pytest.mark.parametrize(
    ("path", "parameters", "reason"),
    [
        ("/users/${param:$.id}", b"{}", Reason.REFERENCE_UNRESOLVED),
        ("/users/${param:$.id}", b'{"id": null}', Reason.REFERENCE_UNRESOLVED),
        ("/users/${param:$.id}", b'{"id": {}}', Reason.REFERENCE_UNRESOLVED),
        ("/users?q=${param}", b"{}", Reason.REFERENCE_UNRESOLVED),
        ("/users/${param:$.id}", b'{"id": ".."}', Reason.PATH_NOT_ALLOWED),
        ("/users?q=${param:$.id}", b'{"id": "' + b"x" * 65_536 + b'"}', Reason.REFERENCE_TOO_LARGE),
    ],
)
async def test_without_a_usable_value_nothing_is_sent(path: str, parameters: bytes, reason: Reason) -> None:
    requests, (result,) = await run(operation(path, parameters))
    assert requests == []
    assert isinstance(result.outcome, Failure)
    assert result.outcome.reason is reason


async def test_each_operation_reads_its_own() -> None:
    requests, _ = await run(*[operation("/users/${param:$.id}", b'{"id": %d}' % number) for number in (1, 2, 3)])
    assert [request.target for request in requests] == ["/users/1", "/users/2", "/users/3"]


async def test_what_is_filled_in_is_not_scanned() -> None:
    (request,), _ = await run(operation("/users?q=${param:$.q}", b'{"q": "${param:$.secret}", "secret": 1}'))
    assert request.target == "/users?q=%24%7Bparam%3A%24.secret%7D"


async def test_every_item_of_a_list_has_the_parameters_too() -> None:
    requests, _ = await run(
        operation("/users", b"{}", name="users"),
        operation("/orders/${param:$.shop}/${item:$.id}/${index}", b'{"shop": "s"}', for_each="${result=users:$[*]}"),
        answers={"/users": [{"id": 7}, {"id": 8}]},
    )
    assert [request.target for request in requests] == ["/users", "/orders/s/7/0", "/orders/s/8/1"]


@pytest.mark.parametrize("path", ["$.ids", "$.ids[*]"])
async def test_a_list_among_them_can_be_gone_through(path: str) -> None:
    one = operation("/users/${item}", b'{"ids": [1, 2]}', for_each=f"${{param:{path}}}")
    requests, (result,) = await run(one)
    assert [request.target for request in requests] == ["/users/1", "/users/2"]
    assert result.status == 200


async def test_what_is_no_list_cannot() -> None:
    for parameters in (b"{}", b'{"ids": 1}'):
        requests, (result,) = await run(operation("/users/${item}", parameters, for_each="${param:$.ids}"))
        assert requests == []
        assert result.status == 424


def test_they_make_no_dependency() -> None:
    envelope = Envelope((operation("/users/${param:$.id}", b"{}"), operation("/orders", None)))
    plan = make_plan(envelope, ROUTES, Limits())
    assert [(step.needs, step.stage) for step in plan.steps] == [((), 1), ((), 1)]
    assert plan == Planning(envelope, ROUTES, Limits()).plan()


def test_a_reference_to_parameters_that_are_not_there_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        make_plan(Envelope((operation("/users/${param:$.id}", None),)), ROUTES, Limits())
    assert [problem.detail for problem in caught.value.problems] == ["${param:$.id}: there are no parameters"]


def test_elsewhere_it_is_literal_text() -> None:
    assert scan("a${param:$.id}${param}", PathRules(), 9) == ("a${param:$.id}${param}",)
    body = b'{"requests":[{"path":"/users","method":"POST","body":"${param} ${param:no}"}]}'
    (decoded,) = NATIVE.decode(Asked(body), Rules()).operations
    assert decoded.body == JsonBody((b'"${param} ${param:no}"',))


def test_where_it_is_allowed_it_is_read_or_wrong() -> None:
    first, second = scan("${param}${param:$.id}", PathRules(), 9, parameters=True)
    assert first == Reference(Source.PARAM)
    assert str(first) + str(second) == "${param}${param:$.id}"
    for text in ("${params}", "${param:}", "${param:id}", "${param=a}", "${param"):
        with pytest.raises(BadReference):
            scan(text, PathRules(), 9, parameters=True)
