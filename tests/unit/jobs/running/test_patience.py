"""An upstream that is failing, and so is not asked, costs a job time and nothing else, and other jobs not even that."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.batch.job import State
from gateway.jobs.clients import EVERYBODY
from gateway.jobs.ports import StorageError
from gateway.messages import Failure, Outcome, Reason, Request
from gateway.storage.sql_transaction import SqlTransaction
from tests.support.batches import PATIENCE, envelope
from tests.support.line_jobs import House, Upstream, house, running
from tests.support.native_jobs import lines, native_house, remembered, submit
from tests.support.plain_lines import line

LEFT_ALONE = Failure(Reason.CIRCUIT_OPEN, "it is being left alone")
POSTS = [line(n, f"/users/{n}", method="POST") for n in range(4)]
TWO_POSTS = envelope(*[{"method": "POST", "path": f"/orders?of={n}", "body": n} for n in range(2)])


@pytest.fixture(autouse=True)
def rest(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets how long a chunk rests, in seconds: at first, no time to speak of."""

    def set_rest(seconds: float) -> None:
        monkeypatch.setattr("gateway.jobs.running.chunks.REST", seconds)

    set_rest(0.02)
    return set_rest


def failing_at(upstream: Upstream, path: str, failure: Failure = LEFT_ALONE) -> Callable[[], None]:
    """Have requests for it refused unsent, until what is returned is called."""
    answer = upstream.answer

    def refuse(request: Request) -> Outcome:
        return failure if request.target.startswith(path) else answer(request)

    def recover() -> None:
        upstream.answer = answer

    upstream.answer = refuse
    return recover


def failing_at_first(upstream: Upstream, count: int, failure: Failure) -> None:
    """Have so many requests refused unsent."""
    answer = upstream.answer
    upstream.answer = lambda request: failure if len(upstream.requests) <= count else answer(request)


async def intents_of(at: House, job: str) -> frozenset[int]:
    async with at.wiring.records.begin() as tx:
        return await tx.intents(job, 0)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_an_upstream_was_not_asked_is_sent_later(tmp_path: Path, method: str) -> None:
    """A job has time: an upstream that restarts must not cost it all of its lines."""
    upstream = Upstream()
    failing_at_first(upstream, 3, LEFT_ALONE)
    async with house(tmp_path, upstream) as at, running(at):
        ended = await at.ended((await at.submit([line(n, f"/users/{n}", method=method) for n in range(3)])).id)
        assert at.errors == []
    assert (ended.state, ended.succeeded, ended.failed) == (State.COMPLETED, 3, 0)
    assert sorted(set(upstream.targets())) == ["/users/0", "/users/1", "/users/2"]
    assert len(upstream.targets()) == 6


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_it_leaves_its_place_to_jobs_that_can_go_on(tmp_path: Path, method: str, rest: Callable[[float], None]) -> None:
    """Else one upstream that is down would keep the jobs for all others from running."""
    rest(1000.0)
    upstream = Upstream()
    failing_at(upstream, "/users")
    async with house(tmp_path, upstream, chunks=1) as at, running(at):
        stuck = await at.submit([line(n, f"/users/{n}", method=method) for n in range(3)])
        await upstream.arrived(3)
        other = await at.ended((await at.submit([line(n, f"/orders/{n}", method=method) for n in range(3)])).id)
        assert (other.succeeded, other.failed) == (3, 0)
        assert (await at.job(stuck.id)).state is State.IN_PROGRESS
        assert await intents_of(at, stuck.id) == frozenset()


async def test_to_be_left_alone_often_is_no_reason_to_be_given_up(tmp_path: Path) -> None:
    upstream = Upstream()
    recover = failing_at(upstream, "/users")
    async with house(tmp_path, upstream, attempts=2) as at, running(at):
        job = await at.submit(POSTS)
        await upstream.arrived(40)
        recover()
        ended = await at.ended(job.id)
        assert (ended.succeeded, ended.failed) == (4, 0)


@pytest.mark.parametrize("reason", [Reason.CIRCUIT_OPEN, Reason.UPSTREAM_OVERLOADED])
async def test_a_job_can_be_stopped_and_cancelled_meanwhile(
    tmp_path: Path, reason: Reason, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.running.sending.PAUSE", 0.2)
    upstream = Upstream()
    failing_at(upstream, "/users", Failure(reason, "not now"))
    async with house(tmp_path, upstream) as at:
        async with running(at):
            job = await at.submit(POSTS)
            await upstream.arrived(4)
        assert await intents_of(at, job.id) == frozenset()
    async with house(tmp_path, upstream) as at, running(at):
        await upstream.arrived(8)
        await at.desk.cancel(EVERYBODY, job.kind, job.id)
        ended = await at.ended(job.id)
        assert (ended.state, ended.succeeded, ended.failed) == (State.CANCELLED, 0, 0)
        assert all("job-cancelled" in record for record in await at.records(ended))


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_upstream_with_too_much_to_do_is_asked_again_soon(
    tmp_path: Path, method: str, rest: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    rest(1000.0)
    monkeypatch.setattr("gateway.jobs.running.sending.PAUSE", 0.01)
    upstream = Upstream()
    failing_at_first(upstream, 30, Failure(Reason.UPSTREAM_OVERLOADED, "it has too many requests waiting"))
    async with house(tmp_path, upstream) as at, running(at):
        ended = await at.ended((await at.submit([line(n, f"/users/{n}", method=method) for n in range(3)])).id)
    assert (ended.succeeded, ended.failed) == (3, 0)


@pytest.mark.parametrize("reason", [Reason.CIRCUIT_OPEN, Reason.UPSTREAM_OVERLOADED])
async def test_an_orderly_stop_does_not_wait_for_it(
    tmp_path: Path, reason: Reason, monkeypatch: pytest.MonkeyPatch, rest: Callable[[float], None]
) -> None:
    rest(1000.0)
    monkeypatch.setattr("gateway.jobs.running.sending.PAUSE", 1000.0)
    upstream = Upstream()
    failing_at(upstream, "/users", Failure(reason, "not now"))
    async with house(tmp_path, upstream) as at:
        await at.runner.start()
        job = await at.submit(POSTS)
        await upstream.arrived(4)
        async with asyncio.timeout(PATIENCE):
            await at.runner.stop(grace=1000.0)
        assert await intents_of(at, job.id) == frozenset()


async def test_no_line_is_noted_for_what_is_known_to_be_failing(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.left_alone.add("users")
    async with house(tmp_path, upstream, chunks=1) as at, running(at):
        job = await at.submit(POSTS)
        assert (await at.ended((await at.submit([line("other", "/orders/1")])).id)).succeeded == 1
        assert upstream.targets() == ["/orders/1"]
        upstream.left_alone.clear()
        assert (await at.ended(job.id)).succeeded == 4


async def test_a_store_that_fails_once_just_then_costs_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.jobs.running.flushing.PAUSES", (0.01,))
    upstream = Upstream()
    recover = failing_at(upstream, "/users")
    forgive = SqlTransaction.forgive
    failed: list[int] = []

    async def fail_once(tx: SqlTransaction, job_id: str, number: int) -> None:
        if not failed:
            failed.append(number)
            raise StorageError("once")
        await forgive(tx, job_id, number)

    monkeypatch.setattr(SqlTransaction, "forgive", fail_once)
    async with house(tmp_path, upstream) as at, running(at):
        job = await at.submit(POSTS)
        await upstream.arrived(8)
        recover()
        ended = await at.ended(job.id)
    assert (ended.succeeded, ended.failed, failed) == (4, 0, [0])


async def test_a_batch_goes_on_where_its_upstream_was_failing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.jobs.running.journalled.PAUSE", 0.01)
    upstream = Upstream()
    async with native_house(tmp_path, upstream) as at:
        recover = failing_at(upstream, "/orders")
        async with running(at):
            job = await submit(at)
            await upstream.arrived(5)
            recover()
            ended = await at.ended(job.id)
        assert at.errors == []
    assert (ended.succeeded, ended.failed) == (3, 0)
    assert upstream.targets().count("/users/1") == 1
    assert upstream.targets()[-1] == "/orders/7"


async def test_a_batch_leaves_its_place_and_notes_nothing(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.left_alone.add("orders")
    async with native_house(tmp_path, upstream, chunks=1) as at, running(at):
        stuck = await submit(at, TWO_POSTS)
        assert (await at.ended((await submit(at, envelope("/users/1"))).id)).succeeded == 1
        assert (await remembered(at, stuck)).size == 0
        upstream.left_alone.clear()
        ended = await at.ended(stuck.id)
        assert (ended.succeeded, ended.failed) == (2, 0)
    assert sorted(upstream.targets()) == ["/orders?of=0", "/orders?of=1", "/users/1"]


async def test_a_store_that_fails_once_when_a_batch_leaves_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.running.flushing.PAUSES", (0.01,))
    upstream = Upstream()
    upstream.left_alone.add("orders")
    async with native_house(tmp_path, upstream) as at:
        put = at.wiring.files.put
        failed: list[str] = []

        async def fail_once(key: str, content: bytes) -> None:
            if b'"status"' in content and not failed:
                failed.append(key)
                raise StorageError("once")
            await put(key, content)

        monkeypatch.setattr(at.wiring.files, "put", fail_once)
        async with running(at):
            job = await submit(at, envelope({"method": "POST", "path": "/users", "body": 1}, "/orders/1"))
            await at.reaches(job.id, lambda job: job.succeeded == 1)
            upstream.left_alone.clear()
            ended = await at.ended(job.id)
    assert (ended.succeeded, ended.failed, len(failed)) == (2, 0, 1)
    assert upstream.targets() == ["/users", "/orders/1"]


async def test_what_a_batch_has_noted_is_tried_again_in_its_place_and_noted_but_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its journal would grow for as long as an upstream is down."""
    monkeypatch.setattr("gateway.jobs.running.journalled.PAUSE", 0.01)
    upstream = Upstream()
    async with native_house(tmp_path, upstream) as at:
        recover = failing_at(upstream, "/orders")
        async with running(at):
            job = await submit(at, TWO_POSTS)
            await upstream.arrived(40)
            assert (await remembered(at, job)).size <= 4
            recover()
            ended = await at.ended(job.id)
            assert (ended.succeeded, ended.failed) == (2, 0)


async def test_what_was_noted_just_before_its_upstream_failed_leaves_its_place_too(tmp_path: Path) -> None:
    upstream = Upstream()
    async with native_house(tmp_path, upstream, chunks=1) as at, running(at):
        recover = failing_at(upstream, "/orders")
        upstream.holding = True
        stuck = await submit(at, TWO_POSTS)
        await upstream.arrived(2)
        upstream.left_alone.add("orders")
        upstream.let_go()
        assert (await at.ended((await submit(at, envelope("/users/1"))).id)).succeeded == 1
        assert (await remembered(at, stuck)).intents == frozenset()
        assert len(upstream.requests) == 3
        recover()
        upstream.left_alone.clear()
        ended = await at.ended(stuck.id)
        assert (ended.succeeded, ended.failed) == (2, 0)


async def test_room_that_came_too_late_is_given_back(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.holding = True
    async with native_house(tmp_path, upstream, upstream_shares={"orders": 1}) as at, running(at):
        first = await submit(at, envelope("/orders/1"))
        await upstream.arrived(1)
        second = await submit(at, envelope("/users/1", "/orders/2"))
        await upstream.arrived(2)
        await at.reaches(second.id, lambda _: at.share.waiting == 1)
        upstream.left_alone.add("orders")
        upstream.release(1)
        await at.ended(first.id)
        assert (at.share.in_flight, at.share.waiting) == (1, 0)
        upstream.left_alone.clear()
        upstream.let_go()
        assert (await at.ended(second.id)).succeeded == 2


async def test_an_intent_that_a_hurried_stop_overtakes_was_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = Upstream()
    async with native_house(tmp_path, upstream) as at:
        put, began, goes_on = at.wiring.files.put, asyncio.Event(), asyncio.Event()

        async def put_slowly(key: str, content: bytes) -> None:
            if b"intent" in content:
                began.set()
                await goes_on.wait()
            await put(key, content)

        monkeypatch.setattr(at.wiring.files, "put", put_slowly)
        await at.runner.start()
        job = await submit(at, envelope({"method": "POST", "path": "/orders", "body": 1}))
        await began.wait()
        asyncio.get_running_loop().call_later(0.05, goes_on.set)
        await at.runner.stop(grace=0.0)
        assert upstream.targets() == []
    async with native_house(tmp_path, upstream) as at, running(at):
        ended = await at.ended(job.id)
        assert (ended.succeeded, ended.failed) == (1, 0)


async def test_a_batch_that_gives_itself_a_time_waits_no_longer(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.left_alone.add("orders")
    async with native_house(tmp_path, upstream) as at, running(at):
        job = await submit(at, envelope("/orders/1", timeout=50))
        ended = await at.ended(job.id)
        assert [one.get("status") for one in await lines(at, ended)] == [504, None]
    assert upstream.targets() == []


async def test_a_batch_that_has_others_in_flight_tries_again_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.jobs.running.journalled.PAUSE", 0.02)
    upstream = Upstream()
    async with native_house(tmp_path, upstream) as at:
        recover = failing_at(upstream, "/orders")
        async with running(at):
            upstream.holding = True
            job = await submit(at, envelope("/users/1", {"method": "POST", "path": "/orders", "body": 1}))
            await upstream.arrived(2)
            upstream.held.pop().set_result(None)
            upstream.holding = False
            await upstream.arrived(5)
            recover()
            await at.reaches(job.id, lambda job: job.succeeded == 1)
            upstream.let_go()
            ended = await at.ended(job.id)
    assert (ended.succeeded, ended.failed) == (2, 0)
    assert upstream.targets().count("/users/1") == 1


async def test_a_batch_can_be_stopped_and_cancelled_meanwhile(tmp_path: Path) -> None:
    upstream = Upstream()
    async with native_house(tmp_path, upstream) as at:
        failing_at(upstream, "/orders")
        async with running(at):
            job = await submit(at, TWO_POSTS)
            await upstream.arrived(2)
        assert (await remembered(at, job)).intents == frozenset()
    async with native_house(tmp_path, upstream) as at, running(at):
        failing_at(upstream, "/orders")
        before = len(upstream.requests)
        await upstream.arrived(before + 2)
        await at.desk.cancel(EVERYBODY, job.kind, job.id)
        ended = await at.ended(job.id)
        assert (ended.state, ended.succeeded, ended.failed) == (State.CANCELLED, 0, 0)
        assert [one.get("status") for one in await lines(at, ended)] == [424, 424, None]


async def test_what_has_been_cancelled_is_not_tried_again(
    tmp_path: Path, rest: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One in flight keeps the batch; the other one was not asked, and is not to be asked any more."""
    rest(1000.0)
    monkeypatch.setattr("gateway.jobs.running.journalled.PAUSE", 1000.0)
    monkeypatch.setattr("gateway.jobs.running.flushing.POLL", 0.01)
    upstream = Upstream()
    async with native_house(tmp_path, upstream) as at:
        failing_at(upstream, "/orders")
        async with running(at):
            upstream.holding = True
            two = envelope({"method": "POST", "path": "/users", "body": 1}, {"method": "POST", "path": "/orders", "body": 2})
            job = await submit(at, two)
            await upstream.arrived(2)
            upstream.held.pop().set_result(None)
            upstream.holding = False
            await at.desk.cancel(EVERYBODY, job.kind, job.id)
            await asyncio.sleep(0.3)  # until the cancelling is noticed
            upstream.let_go()
            ended = await at.ended(job.id)
            assert ended.state is State.CANCELLED
            assert [one.get("status") for one in await lines(at, ended)] == [200, 424, None]
            assert upstream.targets() == ["/users", "/orders"]
