"""Filling an operation and judging what came back, through the scheduler."""

from typing import Any

import pytest

from gateway.batch.routes import HeaderPolicy, Route, RouteTable
from gateway.execution.budget import Budget
from gateway.execution.scheduler import execute
from gateway.messages import Context, Headers, Outcome, Reason, Request, Response, Trace
from tests.support.batches import CONTEXT, PLENTY, Script, engine, envelope, ok, plan

POLICY = HeaderPolicy(frozenset({"accept", "cookie"}), frozenset({"x-debug"}), (("x-key", "ours"),))
TABLE = RouteTable((Route("a", "/a", policy=POLICY), Route("b", "/b"), Route("c", "/b/c"), Route("src", "/src")))


async def send(operation: dict[str, Any], value: Any = None, outer: Headers = (), **fields: Any) -> tuple[Request | None, Any]:
    """The request that an operation becomes when `${result=src:$}` is `value`, and its outcome."""
    script = Script()
    script.answers["/src"] = value if isinstance(value, Response) else ok(value)
    made = plan(envelope({"name": "src", "path": "/src"}, operation, **fields), routes=TABLE)
    context = Context(CONTEXT.request_id, CONTEXT.trace, CONTEXT.client, outer, (("x-request-id", "r"),))
    ended = await execute(made, engine(script, routes=TABLE), context, Budget(PLENTY))
    sent = [request for request in script.requests if request.target != "/src"]
    return (sent[0] if sent else None), ended.results[1].outcome


async def test_a_request_as_it_goes_out() -> None:
    operation = {
        "path": "/a/${result=src:$.id}?q=${result=src:$.tags}",
        "method": "POST",
        "headers": {"X-A": "Bearer ${result=src:$.id}", "x-b": None, "x-debug": "1", "X-Key": "theirs"},
        "body": {"id": "${result=src:$.id}"},
    }
    value = {"id": 7, "tags": ["a b", "c/d"]}
    request, _ = await send(
        operation, value, (("accept", "text/html"), ("cookie", "s=1"), ("x-other", "1")), headers={"x-b": "1"}
    )
    assert request is not None
    span = dict(request.headers)["traceparent"]
    assert request._replace(deadline=0) == Request(
        "a",
        "POST",
        "/a/7?q=a%20b,c%2Fd",
        (
            ("accept", "text/html"),
            ("cookie", "s=1"),
            ("x-a", "Bearer 7"),
            ("x-key", "ours"),
            ("x-request-id", "r"),
            ("traceparent", span),
            ("content-type", "application/json"),
        ),
        b'{"id":7}',
        0,
    )
    assert span.startswith(f"00-{'a' * 32}-")
    assert span.split("-")[2] != "b" * 16


@pytest.mark.parametrize(
    ("operation", "value", "reason"),
    [
        ({"path": "/b/${result=src:$}"}, "..", Reason.PATH_NOT_ALLOWED),
        ({"path": "/b/${result=src:$}"}, "", Reason.PATH_NOT_ALLOWED),
        ({"path": "/b/${result=src:$}"}, "a\r\nb", Reason.PATH_NOT_ALLOWED),
        ({"path": "/b/${result=src:$}"}, "x" * 8192, Reason.PATH_NOT_ALLOWED),
        ({"path": "/b/${result=src:$}"}, "c", Reason.PATH_NOT_ALLOWED),
        ({"path": "/b?x=${result=src:$}"}, None, Reason.REFERENCE_UNRESOLVED),
        ({"path": "/b?x=${result=src:$}"}, {}, Reason.REFERENCE_UNRESOLVED),
        ({"path": "/b?x=${result=src:$}"}, [], Reason.REFERENCE_UNRESOLVED),
        ({"path": "/b?x=${result=src:$.a}"}, [], Reason.REFERENCE_UNRESOLVED),
        ({"path": "/b", "headers": {"x": "${result=src:$}"}}, "a\r\nb: c", Reason.INVALID_HEADER),
        ({"path": "/b", "headers": {"x": "${result=src:$}"}}, "€", Reason.INVALID_HEADER),
        ({"path": "/b", "headers": {"x": "${header=src:etag}"}}, 1, Reason.REFERENCE_UNRESOLVED),
        ({"path": "/b?x=${result=src:$}"}, "x" * 65_536, Reason.REFERENCE_TOO_LARGE),
        (
            {
                "path": "/b",
                "method": "POST",
                "headers": {"content-type": "text/plain; charset=ascii"},
                "body": "${result=src:$}",
            },
            "é",
            Reason.INVALID_BODY,
        ),
    ],
)
async def test_a_value_that_cannot_stand_there_keeps_the_operation_from_being_sent(
    operation: dict[str, Any], value: Any, reason: Reason
) -> None:
    request, outcome = await send(operation, value)
    assert request is None
    assert outcome.reason is reason


@pytest.mark.parametrize("body", [b' "x" ', b'\n"x"\n', b'\t["x"]\r\n', b' "x"'], ids=["blanks", "lines", "list", "before"])
async def test_blanks_round_a_whole_body_do_not_count(body: bytes) -> None:
    request, _ = await send({"path": "/b?q=${result=src:$}"}, ok(body))
    assert request is not None
    assert request.target == "/b?q=x"


async def test_without_a_body_there_is_no_content_type() -> None:
    request, _ = await send({"path": "/b", "headers": {"content-type": "application/json"}})
    assert request is not None
    assert (request.body, "content-type" in dict(request.headers)) == (None, False)


@pytest.mark.parametrize(("content_type", "body"), [("text/plain", b"h\xc3\xa9"), ("text/plain; charset=latin-1", b"h\xe9")])
async def test_text_goes_in_its_charset(content_type: str, body: bytes) -> None:
    operation = {"path": "/b", "method": "PUT", "headers": {"content-type": content_type}, "body": "h${result=src:$}"}
    request, _ = await send(operation, "é")
    assert request is not None
    assert request.body == body


@pytest.mark.parametrize(
    ("outer", "sent"),
    [
        ("00000000000000fd", ["00000000000000fe", "00000000000000ff", "0000000000000100", "0000000000000101"]),
        ("00ffffffffffffff", ["0100000000000000", "0100000000000001", "0100000000000002", "0100000000000003"]),
        ("fffffffffffffffe", ["ffffffffffffffff", "0000000000000001", "0000000000000002", "0000000000000003"]),
    ],
)
async def test_each_request_is_a_span_of_its_own_and_none_is_zero(outer: str, sent: list[str]) -> None:
    script = Script()
    context = Context("r", Trace("a" * 32, outer), "192.0.2.1")
    await execute(
        plan(envelope(*["/a"] * 4, coalesce=False), routes=TABLE), engine(script, routes=TABLE), context, Budget(PLENTY)
    )
    assert [dict(request.headers)["traceparent"].split("-")[2] for request in script.requests] == sent


async def test_a_response_keeps_its_text_and_its_headers() -> None:
    outcome: Outcome = ok(b'{"n": 1.10}', 404, etag="1")
    _, found = await send({"path": "/a"}, outcome)
    assert found.status == 200
    script = Script()
    script.answers["/a"] = outcome
    ended = await execute(plan(envelope("/a"), routes=TABLE), engine(script, routes=TABLE), CONTEXT, Budget(PLENTY))
    assert ended.results[0].outcome == outcome
    assert ended.results[0].content.body == b'{"n": 1.10}'
