"""What is sent for the lines of a job, and when."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.batch.job import Ending, OnInterrupt, Series, State
from gateway.jobs.clients import EVERYBODY
from gateway.jobs.running.chunks import HandedBack
from gateway.jobs.running.flushing import Flusher
from gateway.messages import Failure, Reason
from tests.support.batches import PATIENCE
from tests.support.line_jobs import House, Upstream, Wall, house, running
from tests.support.plain_lines import line

EIGHT = [line(n, f"/users/{n}") for n in range(8)]
POSTS = [line(n, f"/users/{n}", method="POST") for n in range(4)]


async def test_so_many_requests_of_a_job_are_in_flight_and_each_has_its_own_id(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.holding = True
    async with house(tmp_path, upstream, concurrency_per_job=3, chunk_lines=2) as at, running(at):
        job = await at.submit(EIGHT)
        await upstream.arrived(3)
        upstream.release(1)
        await upstream.arrived(4)
        upstream.let_go()
        await at.ended(job.id)
    assert upstream.most == 3
    ids = [dict(request.headers)["x-request-id"] for request in upstream.requests]
    assert sorted(ids) == sorted(f"{job.id}-{request.target[7:]}" for request in upstream.requests)
    assert all(sum(name == "x-request-id" for name, _ in request.headers) == 1 for request in upstream.requests)


async def test_two_jobs_share_what_there_is(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.holding = True
    async with house(tmp_path, upstream, concurrency=4, concurrency_per_job=4) as at, running(at):
        first = await at.submit([line(n, f"/users/{n}") for n in range(20)])
        await upstream.arrived(4)
        second = await at.submit([line(n, f"/orders/{n}") for n in range(20)])
        await at.reaches(second.id, lambda _: at.share.waiting == 2)
        for count in range(5, 17):
            upstream.release(1)
            await upstream.arrived(count)
        orders = [target for target in upstream.targets()[4:] if target.startswith("/orders")]
        assert len(orders) == 6
        upstream.let_go()
        await at.ended(first.id)
        await at.ended(second.id)
    assert upstream.most == 4


async def test_a_line_that_cannot_be_sent_any_more_fails_alone(tmp_path: Path) -> None:
    lines = [line("a"), line("b", refuse=True), line("c", "/nowhere"), line("d", method="PATCH")]
    async with house(tmp_path, Upstream()) as at, running(at):
        ended = await at.ended((await at.submit(lines)).id)
        assert await at.records(ended) == ["a 200", "b not-supported", "c unknown-upstream", "d 200"]
        assert (ended.succeeded, ended.failed) == (2, 2)


async def test_an_upstream_that_is_down_fails_lines_and_not_the_job(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.answer = lambda request: Failure(Reason.UPSTREAM_CONNECT, "refused")
    async with house(tmp_path, upstream) as at, running(at):
        ended = await at.ended((await at.submit([line("a")])).id)
        assert ended.state is State.COMPLETED
        assert await at.records(ended) == ["a upstream-connect"]


async def test_upstreams_that_know_keys_are_sent_a_stable_one_unless_the_line_has_its_own(tmp_path: Path) -> None:
    lines = [line(0, method="POST"), line(1, method="POST", headers={"idempotency-key": "own"}), line(2, "/orders/1")]
    upstream = Upstream()
    async with house(tmp_path, upstream, keyed=["users"]) as at, running(at):
        job = await at.submit(lines)
        await at.ended(job.id)
    keys = {request.headers and dict(request.headers).get("idempotency-key") for request in upstream.requests}
    assert keys == {f"{job.id}:0", "own", None}


@pytest.mark.parametrize(
    ("on_interrupt", "more", "noted"),
    [
        (OnInterrupt.AUTO, {"method": "POST"}, True),
        (OnInterrupt.AUTO, {"method": "PUT"}, False),
        (OnInterrupt.AUTO, {"method": "POST", "headers": {"idempotency-key": "k"}}, False),
        (OnInterrupt.AUTO, {"method": "POST", "path": "/orders/1"}, False),
        (OnInterrupt.RESEND, {"method": "POST"}, False),
        (OnInterrupt.FAIL, {"method": "GET"}, True),
    ],
)
async def test_what_must_not_be_sent_twice_is_noted_before_it_is_sent(
    tmp_path: Path, on_interrupt: OnInterrupt, more: dict[str, object], noted: bool
) -> None:
    upstream = Upstream()
    upstream.holding = True
    async with house(tmp_path, upstream, keyed=["orders"]) as at, running(at):
        job = await at.submit([line(0, **{"path": "/users/1", **more})], on_interrupt=on_interrupt)  # type: ignore[arg-type]
        await upstream.arrived(1)
        async with at.wiring.records.begin() as tx:
            assert bool(await tx.intents(job.id, 0)) is noted
        upstream.let_go()
        await at.ended(job.id)


async def all_look(at: House, wall: Wall) -> None:
    """Wait until every chunk has looked at its job since the clock was set."""
    async with asyncio.timeout(PATIENCE):
        still: Sequence[object] = [None]
        while still:
            await asyncio.sleep(0.01)
            async with at.wiring.records.begin() as tx:
                still = await tx.open_chunks(wall.now)


async def test_a_cancelled_job_sends_nothing_more_and_keeps_what_it_has(tmp_path: Path) -> None:
    upstream, wall = Upstream(), Wall()
    upstream.holding = True
    async with house(tmp_path, upstream, now=wall, concurrency_per_job=2, chunk_lines=4) as at, running(at):
        job = await at.submit(EIGHT)
        await upstream.arrived(2)
        upstream.release(2)
        await upstream.arrived(4)
        wall.now += 1
        cancelled = await at.desk.cancel(EVERYBODY, job.kind, job.id)
        assert cancelled.state is State.CANCELLING
        await all_look(at, wall)
        upstream.let_go()
        ended = await at.ended(job.id)
        assert ended.state is State.CANCELLED
        assert (ended.succeeded, ended.failed, len(upstream.requests)) == (4, 0, 4)
        records = [record.split() for record in await at.records(ended)]
        assert [name for name, _ in records] == [str(n) for n in range(8)]
        assert sorted(what for _, what in records) == ["200"] * 4 + ["job-cancelled"] * 4


async def test_a_job_whose_time_is_over_expires(tmp_path: Path) -> None:
    upstream, wall = Upstream(), Wall()
    upstream.holding = True
    async with house(tmp_path, upstream, now=wall, concurrency_per_job=1) as at, running(at):
        job = await at.submit(EIGHT[:3], seconds=60.0)
        await upstream.arrived(1)
        wall.now += 61
        await at.reaches(job.id, lambda job: job.ending is Ending.EXPIRED)
        wall.now += 1
        await all_look(at, wall)
        upstream.let_go()
        ended = await at.ended(job.id)
        assert ended.state is State.EXPIRED
        assert await at.records(ended) == ["0 200", "1 job-expired", "2 job-expired"]


async def test_an_orderly_stop_waits_for_what_is_in_flight_and_costs_no_attempt(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        job = await at.submit(EIGHT[:5])
    for life in range(4):
        upstream = Upstream()
        upstream.holding = True
        async with house(tmp_path, upstream, concurrency_per_job=1, attempts=2) as at:
            await at.runner.start()
            await upstream.arrived(1)
            stopping = asyncio.ensure_future(at.runner.stop(grace=5.0))
            await asyncio.sleep(0)
            upstream.let_go()
            await stopping
            assert upstream.targets() == [f"/users/{life}"]
            assert [type(error) for error in at.errors] == [HandedBack]
    upstream = Upstream()
    async with house(tmp_path, upstream) as at, running(at):
        ended = await at.ended(job.id)
        assert await at.records(ended) == [f"{n} 200" for n in range(5)]
        assert upstream.targets() == ["/users/4"]


async def test_what_is_in_flight_when_grace_is_over_is_cut(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.holding = True
    lines = [line(0, "/users/0"), line(1, "/users/1", method="POST")]
    async with house(tmp_path, upstream) as at:
        job = await at.submit(lines)
        await at.runner.start()
        await upstream.arrived(2)
        await at.runner.stop(grace=0.01)
        assert upstream.in_flight == 0
    async with house(tmp_path, Upstream()) as at, running(at):
        assert await at.records(await at.ended(job.id)) == ["0 200", "1 interrupted"]


async def test_a_stop_in_haste_neither_loses_nor_interrupts_what_was_never_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intend, intended = Flusher.intend, asyncio.Event()

    def note(self: Flusher, lines: Sequence[int]) -> asyncio.Future[None]:
        intended.set()
        return intend(self, lines)

    monkeypatch.setattr(Flusher, "intend", note)
    upstream = Upstream()
    async with house(tmp_path, upstream, chunk_lines=1) as at:
        job = await at.submit(POSTS)
        await at.runner.start()
        await intended.wait()
        at.wiring.drain.cut()
        await at.runner.stop(grace=0.0)
    assert upstream.requests == []
    async with house(tmp_path, Upstream()) as at, running(at):
        assert await at.records(await at.ended(job.id)) == [f"{n} 200" for n in range(4)]


async def test_orderly_stops_before_anything_was_answered_make_no_chunk_poison(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        job = await at.submit([line(0)])
    for _ in range(3):
        upstream = Upstream()
        upstream.holding = True
        async with house(tmp_path, upstream, attempts=1) as at:
            await at.runner.start()
            await upstream.arrived(1)
            await at.runner.stop(grace=0.0)
    async with house(tmp_path, Upstream(), attempts=1) as at, running(at):
        assert await at.records(await at.ended(job.id)) == ["0 200"]


async def lease_and_die(at: House, job_id: str, times: int) -> None:
    """What a process does that is killed each time it begins the chunk."""
    for turn in range(times):
        async with at.wiring.records.begin() as tx:
            await tx.lease(job_id, 0, f"dead-{turn}", at.wiring.now())


@pytest.mark.parametrize(("deaths", "becomes"), [(2, "200"), (3, "job-abandoned")])
async def test_a_chunk_that_kills_too_often_is_given_up(tmp_path: Path, deaths: int, becomes: str) -> None:
    upstream = Upstream()
    async with house(tmp_path, upstream, attempts=3) as at:
        job = await at.submit_checked([line("a"), line("b")])
        await lease_and_die(at, job.id, deaths)
        async with running(at):
            ended = await at.ended(job.id)
            assert ended.state is State.COMPLETED
            assert ended.results is not None
            document = (await at.wiring.files.read(ended.results)).decode()
    assert document == f"[a {becomes}\n,b {becomes}\n]"
    assert len(upstream.requests) == (2 if becomes == "200" else 0)


async def test_a_chunk_that_gets_on_is_not_given_up(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.holding = True
    async with house(tmp_path, upstream, attempts=1, concurrency_per_job=1) as at:
        job = await at.submit_checked([line(n) for n in range(3)])
        async with running(at):
            await upstream.arrived(1)
            upstream.release(1)
            await at.reaches(job.id, lambda job: job.succeeded == 1)
            async with at.wiring.records.begin() as tx:
                chunk = await tx.lease(job.id, 0, "next", at.wiring.now())
        assert chunk is not None
        assert chunk.attempts == 1


async def test_a_chunk_taken_over_is_written_by_the_new_owner_alone(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.holding = True
    async with house(tmp_path, upstream) as at, running(at):
        job = await at.submit([line("a")])
        await upstream.arrived(1)
        async with at.wiring.records.begin() as tx:
            await tx.lease(job.id, 0, "other", at.wiring.now())
        upstream.let_go()
        await at.runner.stop(grace=PATIENCE)
        async with at.wiring.records.begin() as tx:
            assert await tx.parts(job.id, Series.RESULTS) == []
        assert at.errors == []


async def test_no_more_is_noted_than_is_in_flight_before_answers_are_known_to_come_quickly(tmp_path: Path) -> None:
    """What is noted and not sent would count as interrupted if the process were killed."""
    upstream = Upstream()
    upstream.holding = True
    async with house(tmp_path, upstream, concurrency_per_job=2) as at, running(at):
        job = await at.submit([line(n, f"/users/{n}", method="POST") for n in range(20)])
        await upstream.arrived(2)
        async with at.wiring.records.begin() as tx:
            assert len(await tx.intents(job.id, 0)) == 2
        upstream.release(1)
        await upstream.arrived(3)
        async with at.wiring.records.begin() as tx:
            assert len(await tx.intents(job.id, 0)) == 3
        upstream.let_go()
        await at.ended(job.id)
    assert sorted(upstream.targets()) == sorted(f"/users/{n}" for n in range(20))


async def test_a_job_whose_input_is_gone_fails_and_is_not_tried_for_ever(tmp_path: Path) -> None:
    upstream = Upstream()
    async with house(tmp_path, upstream) as at:
        job = await at.submit_checked(EIGHT)
        await at.wiring.files.remove([f"jobs/{job.id}/input"])
        async with running(at):
            ended = await at.ended(job.id)
    assert (ended.state, [problem.message for problem in ended.problems]) == (
        State.FAILED,
        ["The input of this batch is gone."],
    )
    assert not upstream.requests
