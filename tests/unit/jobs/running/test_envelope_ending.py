"""Native batches as jobs: what ends early, and what is refused, given up or left for later. The store is a real one."""

import asyncio
from pathlib import Path

from gateway.batch.job import JobKind, State
from gateway.batch.routes import Route, RouteTable
from gateway.jobs.clients import EVERYBODY
from gateway.messages import Reason, Response
from tests.support.batches import envelope
from tests.support.line_jobs import Upstream, running
from tests.support.native_jobs import attempt, finished, lines, native_house, noted, submit


async def test_a_cancelled_job_lets_unsafe_requests_end_and_sends_no_others(tmp_path: Path) -> None:
    upstream = Upstream()
    body = envelope({"path": "/users/1"}, {"name": "p", "method": "POST", "path": "/orders"}, {"path": "/any", "after": ["p"]})
    async with native_house(tmp_path, upstream) as at, running(at):
        upstream.holding = True
        job = await submit(at, body)
        await upstream.arrived(2)
        await at.desk.cancel(EVERYBODY, JobKind.NATIVE, job.id)
        await at.reaches(job.id, lambda _: upstream.in_flight == 1)
        upstream.let_go()
        ended = await at.ended(job.id)
        found = await lines(at, ended)
    assert ended.state is State.CANCELLED
    assert [(line["status"], line.get("error", {}).get("reason")) for line in found[:3]] == [
        (424, Reason.JOB_CANCELLED),
        (200, None),
        (424, Reason.JOB_CANCELLED),
    ]
    assert (ended.succeeded, ended.failed) == (1, 0)
    assert len(upstream.requests) == 2


async def test_an_unsafe_request_that_waits_for_room_is_not_sent_when_its_job_is_cancelled(tmp_path: Path) -> None:
    upstream = Upstream()
    body = envelope({"path": "/users/1"}, {"method": "POST", "path": "/users"})
    async with native_house(tmp_path, upstream, concurrency_per_job=1) as at, running(at):
        upstream.holding = True
        job = await submit(at, body)
        await upstream.arrived(1)
        await at.desk.cancel(EVERYBODY, JobKind.NATIVE, job.id)
        ended = await at.ended(job.id)
        found = await lines(at, ended)
    assert [line["error"]["reason"] for line in found[:2]] == [Reason.JOB_CANCELLED] * 2
    assert upstream.targets() == ["/users/1"]


async def test_a_job_cancelled_between_attempts_keeps_what_it_has(tmp_path: Path) -> None:
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
        async with at.wiring.records.begin() as tx:
            await tx.lease(job.id, 0, "nobody", at.wiring.now())
        await at.desk.cancel(EVERYBODY, JobKind.NATIVE, job.id)
        await (await attempt(at, job, "second", group))
        upstream.let_go()
        await killed
        found = await finished(at, job)
    assert [line["status"] for line in found[:3]] == [200, 200, 424]
    assert found[2]["error"]["reason"] == Reason.JOB_CANCELLED
    assert len(upstream.requests) == 3


async def test_an_orderly_stop_waits_for_what_is_in_flight_and_the_next_start_goes_on(tmp_path: Path) -> None:
    upstream = Upstream()
    async with native_house(tmp_path, upstream) as at:
        async with running(at):
            upstream.holding = True
            job = await submit(at)
            await upstream.arrived(1)
            upstream.release()
            await upstream.arrived(2)
            at.wiring.drain.begin()
            upstream.release()
        assert not (await at.job(job.id)).is_final
    upstream.let_go()
    async with native_house(tmp_path, upstream) as at, running(at):
        ended = await at.ended(job.id)
        found = await lines(at, ended)
    assert upstream.targets() == ["/users/1", "/orders", "/orders/7"]
    assert [line["status"] for line in found[:3]] == [200, 200, 200]


async def test_a_batch_that_the_configuration_takes_no_more_fails_with_its_problems(tmp_path: Path) -> None:
    upstream = Upstream()
    async with native_house(tmp_path, upstream) as at:
        job = await submit(at)
    async with native_house(tmp_path, upstream, routes=RouteTable((Route("users", "/users"),))) as at, running(at):
        ended = await at.ended(job.id)
        errors = at.errors
    assert ended.state is State.FAILED
    assert [(problem.code, problem.param) for problem in ended.problems] == [
        ("unknown-upstream", "/requests/1/path"),
        ("unknown-upstream", "/requests/2/path"),
    ]
    assert (upstream.requests, errors) == ([], [])


async def test_a_batch_that_is_cancelled_and_that_the_configuration_takes_no_more_is_cancelled(tmp_path: Path) -> None:
    async with native_house(tmp_path, Upstream()) as at:
        job = await submit(at)
        await at.desk.cancel(EVERYBODY, JobKind.NATIVE, job.id)
    async with native_house(tmp_path, Upstream(), routes=RouteTable((Route("users", "/users"),))) as at, running(at):
        ended = await at.ended(job.id)
        assert (ended.state, at.errors) == (State.CANCELLED, [])


async def test_a_batch_that_was_begun_too_often_is_given_up_with_what_it_has(tmp_path: Path) -> None:
    upstream = Upstream()
    async with native_house(tmp_path, upstream, attempts=2) as at, asyncio.TaskGroup() as group:
        job = await submit(at)
        async with at.wiring.records.begin() as tx:
            for token in "ab":
                await tx.lease(job.id, 0, token, at.wiring.now())
        await (await attempt(at, job, "c", group))
        found = await finished(at, job)
    assert [line["error"]["reason"] for line in found[:3]] == [Reason.JOB_ABANDONED] * 3
    assert upstream.requests == []


async def test_a_job_is_not_bound_by_the_time_of_a_live_batch_but_by_its_own(tmp_path: Path) -> None:
    upstream = Upstream()
    async with native_house(tmp_path, upstream) as at, running(at):
        upstream.holding = True
        job = await submit(at, envelope("/users/1", {"path": "/users/2"}, timeout=50))
        ended = await at.ended(job.id)
        found = await lines(at, ended)
        upstream.let_go()
    assert [line["error"]["reason"] for line in found[:2]] == [Reason.BATCH_DEADLINE] * 2


async def test_operations_that_fail_before_anything_is_sent_are_counted(tmp_path: Path) -> None:
    upstream = Upstream()
    body = envelope({"name": "a", "path": "/users/1"}, {"path": "/any", "forEach": "${result=a:$.list}"})
    async with native_house(tmp_path, upstream) as at, running(at):
        upstream.answer = lambda request: Response(404, (), b"")
        ended = await at.ended((await submit(at, body)).id)
    assert (ended.succeeded, ended.failed) == (0, 2)
