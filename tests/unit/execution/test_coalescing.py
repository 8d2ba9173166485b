"""Requests that are alike are sent once: the test holds them, and sees who shares whose answer."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from gateway.batch.results import Result
from gateway.batch.routes import Route, RouteTable
from gateway.execution.budget import Budget
from gateway.execution.engine import Engine
from gateway.execution.scheduler import Ended, execute
from gateway.messages import Failure, Reason, Response
from tests.support.batches import (
    CONTEXT,
    PLENTY,
    ROUTES,
    HeldCalls,
    HeldSend,
    engine,
    envelope,
    ok,
    plan,
    turn,
    until,
)
from tests.support.clock import Clock

LATE = Failure(Reason.UPSTREAM_TIMEOUT, "late")


def get(name: str, path: str = "/any/x", **fields: Any) -> dict[str, Any]:
    return {"name": name, "path": path, **fields}


@pytest.fixture(params=[HeldSend, HeldCalls], ids=["awaited", "called"])
def held(request: pytest.FixtureRequest) -> HeldSend:
    """Every Send that is held, and every SendThen."""
    made: HeldSend = request.param()
    return made


async def begin(held: HeldSend, body: bytes, routes: RouteTable = ROUTES) -> tuple[asyncio.Task[Ended], Engine, Clock]:
    made = engine(held, None, routes)
    running = asyncio.create_task(execute(plan(body, None, routes), made, CONTEXT, Budget(PLENTY)))
    await turn()
    return running, made, cast(Clock, made.clock)


def told(results: tuple[Result, ...]) -> list[tuple[int, bool]]:
    return [(one.status, one.coalesced) for one in results]


async def test_what_is_alike_is_sent_once_and_each_keeps_its_entry(held: HeldSend) -> None:
    body = envelope(get("a"), get("b"), get("c", select="$.id"), get("last", "/any/${result=b:$.id}", dependsOn=["b"]))
    running, _, clock = await begin(held, body)
    assert held.targets == ["/any/x"]
    clock.now += 2
    await held.end("/any/x", ok({"id": 7}))
    assert held.held == ["/any/7"]
    await held.end("/any/7")
    results = (await running).results
    assert told(results) == [(200, False), (200, True), (200, True), (200, False)]
    assert [one.name for one in results] == ["a", "b", "c", "last"]
    assert [one.duration for one in results] == [2.0, 2.0, 2.0, 0.0]


@pytest.mark.parametrize("answer", [ok([1]), ok(status=503), Failure(Reason.UPSTREAM_CLOSED, "closed"), LATE])
async def test_what_has_ended_is_shared_too_whatever_it_was(held: HeldSend, answer: Response | Failure) -> None:
    running, _, clock = await begin(held, envelope(get("a"), get("b", after=["a"])))
    clock.now += 1
    await held.end("/any/x", answer)
    first, second = (await running).results
    assert (len(held.requests), first.coalesced, second.coalesced) == (1, False, True)
    assert second.outcome == answer
    assert (first.duration, second.duration, second.started) == (1.0, 0.0, clock.now)


@pytest.mark.parametrize(
    "other",
    [
        get("b", method="HEAD"),
        get("b", method="OPTIONS"),
        get("b", method="DELETE"),
        get("b", headers={"accept": "text/plain"}),
        get("b", "/any/x?"),
        get("b", "/any/X"),
        get("b", upstream="other"),
    ],
)
async def test_what_differs_is_sent_by_itself(held: HeldSend, other: dict[str, Any]) -> None:
    routes = RouteTable((Route("any", "/any"), Route("other", "/any")))
    running, _, _ = await begin(held, envelope(get("a", upstream="any"), {"upstream": "any"} | other), routes)
    assert len(held.requests) == 2
    for target in held.held:
        await held.end(target)
    assert told((await running).results) == [(200, False), (200, False)]


async def test_headers_are_alike_in_any_order_and_another_first_of_the_target_is_no_hindrance(held: HeldSend) -> None:
    one, two = {"x-a": "1", "x-b": "2"}, {"x-b": "2", "X-A": "1"}
    running, _, _ = await begin(held, envelope(get("w", method="POST"), get("a", headers=one), get("b", headers=two)))
    assert [request.method for request in held.requests] == ["POST", "GET"]
    await held.end("/any/x")
    await held.end("/any/x")
    assert told((await running).results) == [(200, False), (200, False), (200, True)]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_who_comes_after_something_unsafe_does_not_share_with_who_does_not(held: HeldSend, method: str) -> None:
    body = envelope(
        get("before"),
        {"name": "write", "method": method, "path": "/any/w"},
        get("between", "/any/between", after=["write"]),
        get("behind", dependsOn=["between"]),
        get("beside", after=["write", "between"]),
        get("free", after=["before"]),
    )
    running, _, _ = await begin(held, body)
    await held.end("/any/x", ok("old"))
    await held.end("/any/w")
    assert held.held == ["/any/between"]
    await held.end("/any/between")
    assert held.held == ["/any/x"]
    await held.end("/any/x", ok("new"))
    results = (await running).results
    assert [(one.name, one.content.body, one.coalesced) for one in results if one.target == "/any/x"] == [
        ("before", b'"old"', False),
        ("behind", b'"new"', False),
        ("beside", b'"new"', True),
        ("free", b'"old"', True),
    ]


async def test_nesting_and_references_put_it_after_something_unsafe(held: HeldSend) -> None:
    body = envelope(
        get("a", "/any/1"),
        {"name": "w", "method": "POST", "path": "/any/w", "requests": [get("n", "/any/1")]},
        get("r", "/any/${result=w:$.id}"),
    )
    running, _, _ = await begin(held, body)
    await held.end("/any/1")
    await held.end("/any/w", ok({"id": 1}))
    assert held.held == ["/any/1"]
    await held.end("/any/1")
    assert told((await running).results) == [(200, False), (200, False), (200, False), (200, True)]


@pytest.mark.parametrize("off", ["envelope", "upstream"])
async def test_it_can_be_switched_off(held: HeldSend, off: str) -> None:
    routes = RouteTable((Route("any", "/any", coalesce=off != "upstream"),))
    running, _, _ = await begin(held, envelope(get("a"), get("b"), coalesce=off != "envelope"), routes)
    assert held.held == ["/any/x", "/any/x"]
    await held.end("/any/x")
    await held.end("/any/x")
    assert told((await running).results) == [(200, False), (200, False)]


async def test_children_of_for_each_are_coalesced(held: HeldSend) -> None:
    each = {"name": "each", "path": "/any/${item}", "forEach": "${result=list:$}"}
    running, _, _ = await begin(held, envelope(get("list", "/any/list"), each))
    await held.end("/any/list", ok([1, 2, 1, 1]))
    assert held.held == ["/any/1", "/any/2"]
    await held.end("/any/2")
    await held.end("/any/1", ok(status=404))
    children = (await running).results[1].items or ()
    assert told(children) == [(404, False), (200, False), (404, True), (404, True)]
    assert [child.item for child in children] == [0, 1, 2, 3]


async def test_a_follower_whose_time_is_over_first_gets_its_own_timeout(held: HeldSend) -> None:
    running, made, _ = await begin(held, envelope(get("a"), get("b", timeout=1), get("c"), get("d", after=["b"])))
    (run,) = made.runs
    await until(lambda: cast(Any, run).results[1] is not None)
    assert held.held == ["/any/x"]
    await held.end("/any/x", ok([1]))
    results = (await running).results
    assert told(results) == [(200, False), (504, True), (200, True), (200, True)]
    assert cast(Failure, results[1].outcome).reason is Reason.UPSTREAM_TIMEOUT


async def test_a_follower_that_has_its_answer_has_no_deadline_any_more(held: HeldSend) -> None:
    running, _, _ = await begin(held, envelope(get("a"), get("b", timeout=100), get("z", "/any/z")))
    ends = asyncio.get_running_loop().time() + 0.11
    await held.end("/any/x")
    await until(lambda: asyncio.get_running_loop().time() > ends)
    await held.end("/any/z")
    assert told((await running).results) == [(200, False), (200, True), (200, False)]


async def test_a_leader_whose_time_is_over_does_not_fail_who_has_more(held: HeldSend) -> None:
    made = [get("a", timeout=1000), get("b", timeout=2000), get("c", timeout=3000), get("d", timeout=1005)]
    running, _, clock = await begin(held, envelope(*made))
    clock.now += 1
    await held.end("/any/x", LATE)
    assert [request.deadline - clock.now for request in held.requests] == [0.0, 2.0]
    assert held.held == ["/any/x"]
    await held.end("/any/x", ok([1]))
    assert told((await running).results) == [(504, False), (200, True), (200, False), (504, True)]


async def test_who_starts_after_a_leader_ran_out_of_time_is_sent_and_followed(held: HeldSend) -> None:
    later = [get("b", after=["a"]), get("c", after=["a"])]
    running, _, clock = await begin(held, envelope(get("a", timeout=1000), *later))
    clock.now += 1
    await held.end("/any/x", LATE)
    assert len(held.requests) == 2
    await held.end("/any/x")
    assert told((await running).results) == [(504, False), (200, False), (200, True)]


async def test_a_timeout_that_was_not_the_leaders_own_is_shared(held: HeldSend) -> None:
    running, _, clock = await begin(held, envelope(get("a", timeout=1000), get("b", timeout=2000)))
    clock.now += 0.5
    await held.end("/any/x", LATE)
    assert told((await running).results) == [(504, False), (504, True)]
    assert len(held.requests) == 1


async def test_waiting_counts_from_when_each_was_ready(held: HeldSend) -> None:
    running, _, clock = await begin(held, envelope(get("a"), get("z", "/any/z"), get("b", after=["z"])))
    clock.now += 2
    await held.end("/any/z")
    clock.now += 3
    await held.end("/any/x", ok([1])._replace(queued=4.0))
    results = (await running).results
    assert [(one.duration, one.queued) for one in results] == [(5.0, 4.0), (2.0, 0.0), (3.0, 2.0)]


def stop(made: Engine, running: asyncio.Task[Ended]) -> None:
    (run,) = made.runs
    run.finish_now(Reason.BATCH_DEADLINE, "over")


def leave(made: Engine, running: asyncio.Task[Ended]) -> None:
    running.cancel()


@pytest.mark.parametrize(("cut", "status"), [(stop, 504), (leave, 499)])
async def test_what_ends_a_batch_ends_followers_too(
    held: HeldSend, cut: Callable[[Engine, asyncio.Task[Ended]], None], status: int
) -> None:
    running, made, _ = await begin(held, envelope(get("a"), get("b", timeout=1000), get("c", after=["b"])))
    cut(made, running)
    assert told((await running).results) == [(status, False), (status, True), (status, False)]
    assert (held.cancelled, made.runs) == (["/any/x"], set())


async def test_a_batch_that_stops_at_a_failure_sends_nothing_for_followers(held: HeldSend) -> None:
    made = [get("a", timeout=1000), get("b", timeout=2000), get("c", "/any/y")]
    running, _, clock = await begin(held, envelope(*made, onError="stop"))
    clock.now += 1
    await held.end("/any/x", LATE)
    assert [one.status for one in (await running).results] == [504, 424, 424]
    assert len(held.requests) == 2
