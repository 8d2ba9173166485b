"""Running a plan: the test holds every request, so that what waits for what is seen and not hoped for."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.batch.compile import Rules
from gateway.batch.results import Result
from gateway.batch.routes import Route, RouteTable
from gateway.execution.budget import Budget
from gateway.execution.engine import Engine
from gateway.execution.run import Run
from gateway.execution.scheduler import Ended, execute
from gateway.messages import Context, Failure, Outcome, Reason, Request, Response, Ticket
from tests.support.batches import (
    CONTEXT,
    PLENTY,
    ROUTES,
    HeldCalls,
    HeldSend,
    HeldTicket,
    engine,
    envelope,
    ok,
    plan,
    rules,
    send_nothing,
    turn,
)
from tests.support.clock import Clock


def op(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "path": f"/any/{name}", **fields}


def begin(body: bytes, held: HeldSend, given: Rules | None = None, routes: RouteTable = ROUTES) -> asyncio.Task[Ended]:
    made = plan(body, given, routes)
    return asyncio.create_task(execute(made, engine(held, given, routes), CONTEXT, Budget(PLENTY)))


def told(results: tuple[Result, ...]) -> list[tuple[str | None, int, Reason | None]]:
    return [(one.name, one.status, one.outcome.reason if isinstance(one.outcome, Failure) else None) for one in results]


def cause(result: Result) -> str | None:
    assert isinstance(result.outcome, Failure)
    return result.outcome.cause


@pytest.fixture(params=[HeldSend, HeldCalls], ids=["awaited", "called"])
def held(request: pytest.FixtureRequest) -> HeldSend:
    """Every Send that is held, and every SendThen."""
    made: HeldSend = request.param()
    return made


async def test_what_waits_for_nothing_goes_out_together_and_the_answer_is_in_the_order_asked(held: HeldSend) -> None:
    running = begin(envelope(op("a"), op("b"), op("c")), held)
    await turn()
    assert held.held == ["/any/a", "/any/b", "/any/c"]
    for name in "cab":
        assert not running.done()
        await held.end(f"/any/{name}", ok(name))
    assert told((await running).results) == [("a", 200, None), ("b", 200, None), ("c", 200, None)]


async def test_a_step_goes_out_the_moment_what_it_needs_is_there(held: HeldSend) -> None:
    chain = [op("a"), op("b", dependsOn=["a"]), op("c", dependsOn=["b"])]
    running = begin(envelope(*chain, op("slow"), op("last", dependsOn=["c", "slow"])), held)
    await turn()
    assert held.held == ["/any/a", "/any/slow"]
    await held.end("/any/a")
    assert held.held == ["/any/slow", "/any/b"]
    await held.end("/any/b")
    assert held.held == ["/any/slow", "/any/c"]
    await held.end("/any/c")
    assert held.held == ["/any/slow"]
    await held.end("/any/slow")
    assert held.held == ["/any/last"]
    await held.end("/any/last")
    await running


async def test_after_waits_for_failure_too_and_for_all_that_is_nested(held: HeldSend) -> None:
    running = begin(envelope(op("p", requests=[op("c")]), op("z", after=["p"])), held)
    await turn()
    await held.end("/any/p")
    assert held.held == ["/any/c"]
    await held.end("/any/c", ok(status=500))
    await held.end("/any/z")
    assert told((await running).results) == [("p", 200, None), ("c", 500, None), ("z", 200, None)]


async def test_a_failure_fails_what_depends_on_it_and_nothing_else(held: HeldSend) -> None:
    running = begin(envelope(op("a"), op("b", dependsOn=["a"]), op("c", dependsOn=["b"]), op("other")), held)
    await turn()
    await held.end("/any/a", ok(status=404))
    assert held.held == ["/any/other"]
    await held.end("/any/other")
    results = (await running).results
    failed = Reason.DEPENDENCY_FAILED
    assert told(results) == [("a", 404, None), ("b", 424, failed), ("c", 424, failed), ("other", 200, None)]
    assert [cause(results[1]), cause(results[2])] == ["a", "a"]
    assert (results[1].started, results[1].target) == (None, None)


async def test_the_cause_is_the_earliest_failed_ancestor_in_the_order_asked(held: HeldSend) -> None:
    running = begin(envelope(op("z", dependsOn=["b", "a"]), {"path": "/any/x"}, op("a"), op("b")), held)
    await turn()
    await held.end("/any/b", ok(status=500))
    await held.end("/any/a", ok(status=500))
    await held.end("/any/x")
    assert cause((await running).results[0]) == "a"


async def test_stopping_cancels_what_is_safe_awaits_what_is_not_and_starts_nothing_new(held: HeldSend) -> None:
    body = envelope(
        op("bad"),
        op("read"),
        op("write", method="POST"),
        op("next", dependsOn=["write"]),
        op("free", after=["read"]),
        onError="stop",
    )
    running = begin(body, held)
    await turn()
    await held.end("/any/bad", ok(status=400))
    assert (held.held, held.cancelled) == (["/any/write"], ["/any/read"])
    await held.end("/any/write", ok(status=201))
    stopped = Reason.STOPPED
    ended = await running
    assert told(ended.results) == [
        ("bad", 400, None),
        ("read", 424, stopped),
        ("write", 201, None),
        ("next", 424, stopped),
        ("free", 424, stopped),
    ]
    assert not ended.client_gone
    assert len(held.requests) == 3


async def test_a_child_that_fails_stops_the_batch(held: HeldSend) -> None:
    body = envelope(
        op("list"),
        {"name": "each", "path": "/any/each/${item}", "forEach": "${result=list:$}"},
        op("after", after=["each"]),
        onError="stop",
    )
    running = begin(body, held)
    await turn()
    await held.end("/any/list", ok([1, 2]))
    await held.end("/any/each/1", ok(status=500))
    results = (await running).results
    assert told(results) == [("list", 200, None), ("each", 207, None), ("after", 424, Reason.STOPPED)]
    assert told(results[1].items or ()) == [("each", 500, None), ("each", 424, Reason.STOPPED)]


async def test_a_child_that_is_refused_stops_those_after_it_before_they_are_sent(held: HeldSend) -> None:
    body = envelope(op("list"), {"path": "/any/each/${item}", "forEach": "${result=list:$}"}, onError="stop")
    running = begin(body, held)
    await turn()
    await held.end("/any/list", ok(["..", "a"]))
    results = (await running).results
    assert [one.status for one in results[1].items or ()] == [422, 424]
    assert held.targets == ["/any/list"]


async def test_for_each_sends_its_children_at_once_and_its_dependents_read_them_in_order(held: HeldSend) -> None:
    body = envelope(
        op("list"),
        {"name": "each", "path": "/any/each/${item:$.id}?n=${index}", "forEach": "${result=list:$.all[*]}"},
        {"path": "/any/${status=each}?x=${result=each:$[0,2].x}&y=${result=each:$[2].x}", "after": ["each"]},
    )
    running = begin(body, held)
    await turn()
    await held.end("/any/list", ok(b'{"all":[{"id":1},{"id":"a/b"},{"id":1e2}]}'))
    assert held.held == ["/any/each/1?n=0", "/any/each/a%2Fb?n=1", "/any/each/1e2?n=2"]
    await held.end("/any/each/1e2?n=2", ok({"x": 3}))
    await held.end("/any/each/a%2Fb?n=1", ok(status=503))
    await held.end("/any/each/1?n=0", ok({"x": 1}))
    assert held.held == ["/any/207?x=1,3&y=3"]
    await held.end("/any/207?x=1,3&y=3")
    assert [one.status for one in (await running).results] == [200, 207, 200]


async def test_for_each_over_nothing_succeeds_and_over_no_list_fails(held: HeldSend) -> None:
    made = [
        op("list"),
        {"path": "/any/${item}", "forEach": "${result=list:$.a}"},
        {"path": "/any/${item}", "forEach": "${result=list:$.b}"},
    ]
    running = begin(envelope(*made, {"path": "/any/${item}", "forEach": "${result=list:$.c[*]}"}), held)
    await turn()
    await held.end("/any/list", ok({"a": [], "b": 1}))
    assert told((await running).results) == [
        ("list", 200, None),
        (None, 200, None),
        (None, 424, Reason.REFERENCE_UNRESOLVED),
        (None, 200, None),
    ]


async def test_what_a_route_takes_of_one_batch_counts_every_child() -> None:
    table = RouteTable((Route("a", "/list"), Route("a", "/login", max_per_batch=3)))
    each = {"path": "/login/${item}", "forEach": "${result=list:$}"}
    held = HeldSend()
    running = begin(
        envelope({"name": "list", "path": "/list"}, "/login/x", each, {**each, "path": "/login/y/${item}"}), held, None, table
    )
    await turn()
    await held.end("/list", ok([1, 2]))
    for target in ("/login/x", "/login/1", "/login/2"):
        await held.end(target)
    results = (await running).results
    assert told(results)[2:] == [(None, 200, None), (None, 422, Reason.TOO_MANY_OPERATIONS)]
    assert len(held.requests) == 4


async def test_the_deadline_answers_what_has_finished_and_tells_what_may_have_been_done(held: HeldSend) -> None:
    body = envelope(op("done"), op("read"), op("write", method="POST"), op("next", dependsOn=["read"]))
    scheduled = engine(held)
    running = asyncio.create_task(execute(plan(body), scheduled, CONTEXT, Budget(PLENTY)))
    await turn()
    await held.end("/any/done")
    (run,) = scheduled.runs
    run.finish_now(Reason.BATCH_DEADLINE, "out of time")
    results = (await running).results
    late = Reason.BATCH_DEADLINE
    assert told(results) == [("done", 200, None), ("read", 504, late), ("write", 504, late), ("next", 504, late)]
    write = results[2].outcome
    assert isinstance(write, Failure)
    assert write.maybe_processed
    assert "may have been processed" in write.detail
    assert held.cancelled == ["/any/read", "/any/write"]
    assert scheduled.runs == set()


async def test_the_deadline_ends_a_batch_by_itself(held: HeldSend) -> None:
    ended = await begin(envelope(op("a"), op("b", dependsOn=["a"]), timeout=1), held)
    assert told(ended.results) == [("a", 504, Reason.BATCH_DEADLINE), ("b", 504, Reason.BATCH_DEADLINE)]


async def test_an_operation_has_its_own_deadline_inside_the_batchs(held: HeldSend) -> None:
    given = rules(timeout=9.0, operation_timeout=5.0)
    made = [op("route"), op("short", timeout=1500), op("clamped", timeout=8000), op("long", timeout=9_000_000)]
    running = begin(envelope(*made), held, given, RouteTable((Route("any", "/any", timeout=4.0),)))
    await turn()
    now = Clock().now
    assert [request.deadline - now for request in held.requests] == [4.0, 1.5, 4.0, 4.0]
    for name in ("route", "short", "clamped", "long"):
        await held.end(f"/any/{name}")
    await running


async def test_a_client_that_has_gone_takes_safe_requests_along_and_unsafe_ones_are_awaited(held: HeldSend) -> None:
    running = begin(envelope(op("read"), op("write", method="DELETE"), op("next", after=["write"])), held)
    await turn()
    running.cancel()
    await turn()
    assert (held.held, held.cancelled) == (["/any/write"], ["/any/read"])
    assert not running.done()
    await held.end("/any/write", ok(status=204))
    ended = await running
    assert ended.client_gone
    gone = Reason.CLIENT_GONE
    assert told(ended.results) == [("read", 499, gone), ("write", 204, None), ("next", 499, gone)]


async def test_being_cancelled_twice_closes_everything(held: HeldSend) -> None:
    running = begin(envelope(op("write", method="POST")), held)
    await turn()
    running.cancel()
    await turn()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert held.cancelled == ["/any/write"]


async def test_a_run_ends_only_when_what_it_cancelled_has_closed() -> None:
    sent, closing, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def send(request: Request) -> Outcome:
        sent.set()
        try:
            await asyncio.Event().wait()
        finally:
            closing.set()
            await closed.wait()
        raise AssertionError

    running = asyncio.create_task(execute(plan(envelope(op("a"))), engine(send), CONTEXT, Budget(PLENTY)))
    await sent.wait()
    running.cancel()
    await closing.wait()
    await turn()
    assert not running.done()
    closed.set()
    assert told((await running).results) == [("a", 499, Reason.CLIENT_GONE)]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_fails_before_it_is_on_its_way_ends_there_and_then() -> None:
    sent: list[str] = []

    def send_then(request: Request, done: Callable[[Outcome], None]) -> Ticket:
        sent.append(request.target)
        done(Failure(Reason.CIRCUIT_OPEN, "open") if request.target == "/any/2" else ok([1, 2, 3]))
        return HeldTicket(asyncio.get_running_loop().create_future())

    made = plan(
        envelope(op("list"), {"name": "each", "path": "/any/${item}", "forEach": "${result=list:$}"}, op("b"), onError="stop")
    )
    given = Engine(send_nothing, ROUTES, Rules(), Clock(), Budget(PLENTY), send_then=send_then)
    results = (await execute(made, given, CONTEXT, Budget(PLENTY))).results
    assert sent == ["/any/list", "/any/b", "/any/1", "/any/2"]
    assert [one.status for one in results[1].items or ()] == [200, 503, 424]


async def test_a_client_that_leaves_when_all_in_flight_is_safe_ends_the_batch_at_once(held: HeldSend) -> None:
    running = begin(envelope(op("read"), op("next", after=["read"]), op("last", dependsOn=["next"])), held)
    await turn()
    running.cancel()
    await turn()
    assert running.done()
    assert [one.status for one in (await running).results] == [499, 499, 499]


async def test_a_send_that_raises_is_one_failed_operation() -> None:
    held = HeldSend()
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    running = begin(envelope(op("a"), op("b")), held)
    await turn()
    error = RuntimeError("secret")
    await held.end("/any/a", error)
    await held.end("/any/b")
    results = (await running).results
    assert told(results) == [("a", 500, Reason.INTERNAL), ("b", 200, None)]
    assert "secret" not in str(results[0].outcome)
    assert [context["exception"] for context in reported] == [error]


@pytest.mark.parametrize("late", [False, True])
async def test_a_bug_reaches_the_caller_instead_of_leaving_him_waiting(late: bool) -> None:
    held = HeldSend()

    def send(request: Request) -> Awaitable[Outcome]:
        if request.target == "/any/b":
            raise ZeroDivisionError
        return held(request)

    body = envelope(op("a"), op("b", dependsOn=["a"] if late else []))
    running = asyncio.create_task(execute(plan(body), engine(send), CONTEXT, Budget(PLENTY)))
    await turn()
    if late:
        await held.end("/any/a")
    with pytest.raises(ZeroDivisionError):
        await running
    assert held.held == []


def count_runs() -> int:
    return sum(isinstance(thing, Run) for thing in gc.get_objects())


async def test_nothing_is_left_behind(held: HeldSend) -> None:
    scheduled = engine(held)
    made = plan(envelope(op("a"), op("b", method="POST"), onError="stop"))
    gc.collect()
    before = count_runs()
    running = asyncio.create_task(execute(made, scheduled, CONTEXT, Budget(PLENTY)))
    await turn()
    assert count_runs() == before + 1
    await held.end("/any/a", ok(status=500))
    await held.end("/any/b")
    await running
    del running
    held.futures.clear()
    gc.collect()
    assert count_runs() == before
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_wide_and_deep_diamond_asks_each_once() -> None:
    layers = [[f"{layer}.{index}" for index in range(7)] for layer in range(7)]
    made = [op(name, dependsOn=layers[layer - 1] if layer else []) for layer, names in enumerate(layers) for name in names]
    sent: list[str] = []

    async def send(request: Request) -> Outcome:
        sent.append(request.target)
        return ok({})

    ended = await execute(plan(envelope(*made)), engine(send), CONTEXT, Budget(PLENTY))
    assert sorted(sent) == sorted(f"/any/{name}" for names in layers for name in names)
    assert {one.status for one in ended.results} == {200}


async def test_bodies_beyond_the_budget_are_dropped() -> None:
    async def send(request: Request) -> Outcome:
        return Response(200, (), b"x" * 10)

    process = Budget(25)
    budget = Budget(15, process)
    made = plan(envelope(op("a"), op("b")))
    ended = await execute(made, Engine(send, ROUTES, Rules(), Clock(), process), Context("r", CONTEXT.trace, "c"), budget)
    assert told(ended.results) == [("a", 200, None), ("b", 507, Reason.ANSWER_TOO_LARGE)]
    assert (budget.held, process.held) == (10, 10)
