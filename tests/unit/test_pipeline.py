"""The whole gateway without sockets: bytes in, bytes out, and nothing held afterwards."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.batch.compile import Rules
from gateway.batch.plan import make_plan
from gateway.dialects.dialect import Asked, Dialect
from gateway.dialects.registry import DIALECTS
from gateway.errors import Refusal
from gateway.execution.engine import Engine
from gateway.pipeline import answer
from tests.support.batches import CONTEXT, NATIVE, ROUTES, HeldSend, engine, envelope, ok, rules, run, turn


async def test_a_batch_from_end_to_end() -> None:
    ran = await run(
        envelope({"name": "user", "path": "/users/1"}, {"name": "orders", "path": "/orders?of=${result=user:$.id}"}),
        {"/users/1": ok(b'{"id": 12345678901234567890.10}'), "/orders?of=12345678901234567890.10": ok([1])},
    )
    assert ran.raw == (
        b'{"responses":[{"name":"user","method":"GET","path":"/users/1","status":200,"headers":{"content-type":"application/json"},'
        b'"body":{"id": 12345678901234567890.10},"duration":0.0,"queued":0.0},'
        b'{"name":"orders","method":"GET","path":"/orders?of=12345678901234567890.10","status":200,'
        b'"headers":{"content-type":"application/json"},"body":[1],"duration":0.0,"queued":0.0}],"duration":0.0}'
    )
    assert (ran.status, ran.finished.operations, ran.finished.failed) == (200, 2, 0)


async def test_a_failure_makes_207_and_is_counted() -> None:
    ran = await run(envelope({"name": "a", "path": "/any"}, {"path": "/any/x", "dependsOn": ["a"]}), {"/any": ok(status=500)})
    assert (ran.status, ran.statuses, ran.reasons) == (207, [500, 424], [None, "dependency-failed"])
    assert (ran.finished.operations, ran.finished.failed) == (2, 2)
    assert ran.responses[1]["error"]["cause"] == "a"


async def test_the_bodies_held_are_given_back() -> None:
    held = HeldSend()
    made = engine(held)
    running = asyncio.create_task(answer(Asked(envelope("/any/a", "/any/b")), NATIVE, CONTEXT, made))
    await turn()
    await held.end("/any/a", ok(b"[1,2,3]"))
    assert made.budget.held == 7
    await held.end("/any/b", ok(b"[]"))
    await running
    assert made.budget.held == 0


async def test_a_client_that_has_gone_gets_499_and_its_unsafe_request_is_counted() -> None:
    held = HeldSend()
    made = engine(held)
    asked = Asked(envelope("/any/a", {"path": "/any/b", "method": "POST"}))
    running = asyncio.create_task(answer(asked, NATIVE, CONTEXT, made))
    await turn()
    running.cancel()
    await turn()
    await held.end("/any/b", ok({}))
    answered = await running
    assert (answered.status, answered.body, answered.headers) == (499, b"", ())
    assert answered.finished is not None
    assert [result.status for result in answered.finished.results] == [499, 200]
    assert (made.budget.held, made.runs) == (0, set())


async def test_a_body_too_much_for_the_whole_process_is_507() -> None:
    ran = await run(envelope("/any/a", "/any/b"), {"/any/a": ok([1]), "/any/b": ok("x" * 20)}, rules(answer=20))
    assert (ran.statuses, ran.reasons) == ([200, 507], [None, "answer-too-large"])


VALID: list[dict[str, Any]] = [
    {"requests": [{"path": "/users/1"}]},
    {
        "requests": [
            {"name": "user", "path": "/users/42", "select": "$.a", "omit": "onSuccess", "timeout": 5},
            {"name": "orders", "path": "/orders?customer=${result=user:$.id}&s=${status=user}", "select": {"a": "$.b"}},
            {"name": "lines", "path": "/orders/${item:$.id}/${index}", "forEach": "${result=orders:$.items[*]}"},
            {
                "name": "note",
                "method": "POST",
                "path": "/any",
                "after": ["lines"],
                "dependsOn": ["user"],
                "headers": {"x-tenant": "${header=user:x-tenant}", "cookie": None},
                "body": {"author": "${result=user:$.id}", "n": [1, None, {"a": True}]},
                "requests": [{"path": "/any/x", "upstream": "any"}],
            },
            {"path": "/any", "method": "PUT", "bodyEncoding": "base64", "body": "aGk=", "omit": True},
            {"path": "/any", "method": "PUT", "headers": {"content-type": "text/plain"}, "body": "x"},
        ],
        "headers": {"accept-language": "de"},
        "timeout": 2000,
        "onError": "stop",
        "responseHeaders": False,
        "coalesce": True,
    },
]
LEAVES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1e308,
    10**300,
    "",
    "a",
    "/",
    "/any/${",
    "${item}",
    "${result=user:$.a[*]}",
    "${result=note:$..a}",
    "${status=lines}",
    "$",
    "$.a",
    "user",
    "lines",
    [],
    {},
    ["user"],
    {"a": "$"},
    {"path": "/any"},
    [{"path": "/any"}],
    "text/plain",
    "application/json; charset=rot13",
    "\x00",
    "é😀",
    "stop",
    "POST",
    "GET",
    "1" * 5000,
    "a" * 200,
    "..",
    "//",
    "%",
]
KEYS = [
    "path",
    "name",
    "method",
    "headers",
    "body",
    "requests",
    "forEach",
    "select",
    "after",
    "content-type",
    "9" * 5000,
    "a/~b",
    "",
]


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at]
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(below, (*at, key))
    return found


def put(value: Any, at: tuple[Any, ...], leaf: Any) -> Any:
    if not at:
        return leaf
    copied = value.copy()
    copied[at[0]] = put(value[at[0]], at[1:], leaf)
    return copied


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid envelope with some values replaced, keys added and bytes changed."""
    value: Any = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.sampled_from(places(value)))
        leaf = draw(st.sampled_from(LEAVES))
        value = put(value, at, {draw(st.sampled_from(KEYS)): leaf} if draw(st.booleans()) else leaf)
    text = json.dumps(value).encode()
    if draw(st.integers(0, 3)) == 0:
        at_byte = draw(st.integers(0, len(text)))
        text = text[:at_byte] + draw(st.binary(max_size=2)) + text[at_byte + draw(st.integers(0, 2)) :]
    return text


ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(LEAVES),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), below, max_size=4),
    max_leaves=15,
)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(mutated() | ANY_JSON.map(json.dumps).map(str.encode) | st.binary(max_size=30))
def test_no_bytes_raise_anything_but_a_refusal(dialect: str, body: bytes) -> None:
    refusal = find_refusal(body, DIALECTS[dialect])
    if refusal is not None:
        encoded = DIALECTS[dialect].refuse(refusal, "r")
        problem = json.loads(encoded.body)
        assert refusal.status in (400, 422)
        assert problem["status"] == encoded.status == refusal.status
        assert all(error["pointer"] == "" or error["pointer"].startswith("/") for error in problem.get("errors", []))


def find_refusal(body: bytes, dialect: Dialect) -> Refusal | None:
    allowing = Rules(descendants=True, filters=True)
    try:
        make_plan(dialect.decode(Asked(body), allowing), ROUTES, allowing.limits)
    except Refusal as refusal:
        return refusal
    return None


RESULTS = st.sampled_from(
    [
        b"{}",
        b"[]",
        b' {"id":"../x","items":[{"id":1},{"id":"a b"}]} ',
        b"null",
        b'{"id":[1,"\\r\\n"]}',
        b"nonsense",
        b"\xff",
        b'"x"',
        b"1e400",
        b'{"a":[{"a":1e400}],"id":1.0}',
        b"[" * 500 + b"]" * 500,
    ]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(mutated(), RESULTS, st.sampled_from([200, 200, 404, 503]))
def test_no_accepted_batch_ends_in_anything_but_an_answer(body: bytes, result: bytes, status: int) -> None:
    async def send(request: Any) -> Any:
        assert request.target.isascii()
        assert request.target.startswith("/")
        assert not any(character in value for _, value in request.headers for character in "\r\n\0")
        return ok(result, status, x_tenant="é")

    async def go() -> None:
        made: Engine = engine(send, Rules(descendants=True, filters=True), ROUTES)
        answered = await answer(Asked(body), NATIVE, CONTEXT, made)
        read = json.loads(answered.body)
        assert answered.finished is not None
        assert answered.status == (207 if answered.finished.failed else 200)
        assert all(entry["status"] != 500 for entry in read["responses"])
        assert made.budget.held == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    try:
        asyncio.run(go())
    except Refusal:
        return
