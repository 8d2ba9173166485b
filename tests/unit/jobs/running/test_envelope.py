"""Native batches as jobs: what goes on after an attempt was cut short. The store is a real one."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.batch.job import OnInterrupt, State
from gateway.messages import Reason
from tests.support.batches import envelope, ok
from tests.support.line_jobs import Upstream, running
from tests.support.native_jobs import attempt, finished, lines, native_house, noted, remembered, submit


async def test_a_batch_runs_as_a_job_and_its_results_are_lines_in_the_order_asked(tmp_path: Path) -> None:
    upstream = Upstream()
    async with native_house(tmp_path, upstream) as at, running(at):
        job = await submit(at)
        assert (job.state, job.lines) == (State.IN_PROGRESS, 3)
        ended = await at.ended(job.id)
        assert (ended.state, ended.succeeded, ended.failed) == (State.COMPLETED, 3, 0)
        found = await lines(at, ended)
        assert at.errors == []
    assert upstream.targets() == ["/users/1", "/orders", "/orders/7"]
    assert [(line.get("index"), line.get("name"), line.get("status")) for line in found[:3]] == [
        (0, "a", 200),
        (1, "b", 200),
        (2, "c", 200),
    ]
    assert {**found[3]["summary"], "duration": 0} == {"operations": 3, "failed": 0, "duration": 0}


async def test_what_was_answered_before_a_crash_is_not_sent_again(tmp_path: Path) -> None:
    upstream = Upstream()
    async with native_house(tmp_path, upstream) as at, asyncio.TaskGroup() as group:
        job = await submit(at)
        upstream.holding = True
        killed = await attempt(at, job, "first", group)
        await upstream.arrived(1)
        upstream.release()
        await upstream.arrived(2)
        upstream.release()
        await upstream.arrived(3)
        await noted(at, job, 2)
        second = await attempt(at, job, "second", group)
        await upstream.arrived(4)
        upstream.let_go()
        await asyncio.gather(killed, second)
        found = await finished(at, job)
        counted = await at.job(job.id)
    assert upstream.targets() == ["/users/1", "/orders", "/orders/7", "/orders/7"]
    assert [line["status"] for line in found[:3]] == [200, 200, 200]
    assert (counted.succeeded, counted.failed) == (3, 0)


async def test_a_request_that_may_have_been_processed_is_never_sent_twice(tmp_path: Path) -> None:
    upstream = Upstream()
    async with native_house(tmp_path, upstream) as at, asyncio.TaskGroup() as group:
        job = await submit(at)
        upstream.holding = True
        killed = await attempt(at, job, "first", group)
        await upstream.arrived(1)
        upstream.release()
        await upstream.arrived(2)
        second = await attempt(at, job, "second", group)
        await second
        sent = upstream.targets()
        upstream.let_go()
        await killed
        found = await finished(at, job)
        counted = await at.job(job.id)
    assert sent == ["/users/1", "/orders"]
    assert [(line["status"], line.get("error", {}).get("reason")) for line in found[:3]] == [
        (200, None),
        (502, Reason.INTERRUPTED),
        (424, Reason.DEPENDENCY_FAILED),
    ]
    assert (counted.succeeded, counted.failed) == (1, 2)


async def test_that_it_is_about_to_be_sent_is_safe_before_it_is_sent(tmp_path: Path) -> None:
    upstream = Upstream()
    async with native_house(tmp_path, upstream) as at, asyncio.TaskGroup() as group:
        job = await submit(at, envelope({"method": "POST", "path": "/orders"}))
        upstream.holding = True
        running_now = await attempt(at, job, "first", group)
        await upstream.arrived(1)
        past = await remembered(at, job)
        upstream.let_go()
        await running_now
    assert len(past.intents) == 1


@pytest.mark.parametrize("how", ["header", "upstream", "resend"])
async def test_a_request_that_is_safe_to_resend_is_sent_again(tmp_path: Path, how: str) -> None:
    operation: dict[str, Any] = {"method": "POST", "path": "/orders"}
    if how == "header":
        operation["headers"] = {"Idempotency-Key": "mine"}
    upstream = Upstream()
    keyed = ("orders",) if how == "upstream" else ()
    async with native_house(tmp_path, upstream, keyed=keyed) as at, asyncio.TaskGroup() as group:
        job = await submit(at, envelope(operation), OnInterrupt.RESEND if how == "resend" else OnInterrupt.AUTO)
        upstream.holding = True
        killed = await attempt(at, job, "first", group)
        await upstream.arrived(1)
        second = await attempt(at, job, "second", group)
        await upstream.arrived(2)
        upstream.let_go()
        await asyncio.gather(killed, second)
        found = await finished(at, job)
    assert found[0]["status"] == 200
    keys = [dict(request.headers).get("idempotency-key") for request in upstream.requests]
    assert len(set(keys)) == 1
    assert (keys[0] is None, keys[0] == "mine") == (how == "resend", how == "header")


async def test_alike_requests_get_their_own_answers_back(tmp_path: Path) -> None:
    upstream = Upstream()
    body = envelope(*[{"path": "/users/1"} for _ in range(3)], {"path": "/users/2"}, coalesce=False)
    async with native_house(tmp_path, upstream) as at, asyncio.TaskGroup() as group:
        answers = iter([1, 2, 3])
        upstream.answer = lambda request: ok(next(answers) if request.target == "/users/1" else "last")
        job = await submit(at, body)
        upstream.holding = True
        killed = await attempt(at, job, "first", group)
        await upstream.arrived(4)
        upstream.release(3)
        await noted(at, job, 3)
        second = await attempt(at, job, "second", group)
        await upstream.arrived(5)
        upstream.let_go()
        await asyncio.gather(killed, second)
        found = await finished(at, job)
    assert [line["body"] for line in found[:4]] == [1, 2, 3, "last"]
