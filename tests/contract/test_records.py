"""What every Records promises, run on SQLite in a folder."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.batch.job import (
    FINAL,
    RUNNING,
    Chunk,
    Delivery,
    Ending,
    Job,
    JobKind,
    LineProblem,
    OnInterrupt,
    Part,
    Series,
    State,
    StoredFile,
)
from gateway.jobs.ports import Backlog, Held, Page, Records, StorageError, Usage
from gateway.jsontext import change
from gateway.storage.opening import open_storage

OPEN = frozenset(State) - FINAL


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Records]:
    storage = await open_storage(str(tmp_path / "data"), os.urandom)
    yield storage.records
    await storage.close()


def make_id(number: int, prefix: str = "batch_") -> str:
    return f"{prefix}{number:032x}"


def make_job(number: int = 1, **fields: Any) -> Job:
    base = Job(make_id(number), "me", JobKind.OPENAI, State.IN_PROGRESS, 100.0 + number, 1000.0, b'{"endpoint":"/v1"}')
    return change(base, **fields)


def make_file(number: int, **fields: Any) -> StoredFile:
    key = make_id(number, "file-")
    return change(StoredFile(key, "me", "batch", "lines.jsonl", 10, f"files/{key}", 100.0 + number), **fields)


def make_chunks(job: Job, count: int) -> list[Chunk]:
    return [Chunk(job.id, number, number * 10, 10, number * 1000, 1000) for number in range(count)]


async def add(records: Records, *jobs: Job, chunks: int = 0) -> None:
    async with records.begin() as tx:
        for job in jobs:
            await tx.add_job(job)
            await tx.add_chunks(make_chunks(job, chunks))


# ---- transactions ----


async def test_a_transaction_that_raises_leaves_nothing(records: Records) -> None:
    async def give_up() -> None:
        async with records.begin() as tx:
            await tx.add_job(make_job())
            await tx.add_file(make_file(1))
            raise KeyError

    with pytest.raises(KeyError):
        await give_up()
    async with records.begin() as tx:
        assert await tx.find_job(make_id(1)) is None
        assert await tx.list_files("me", None, Page(10)) == []


async def test_a_transaction_that_fails_leaves_nothing(records: Records) -> None:
    await add(records, make_job(1))
    with pytest.raises(StorageError, match=r"the records failed: UNIQUE constraint failed: jobs\.id"):
        await add(records, make_job(2), make_job(1))
    async with records.begin() as tx:
        assert await tx.find_job(make_id(2)) is None


async def test_a_transaction_that_has_failed_keeps_nothing_though_its_caller_goes_on(records: Records) -> None:
    await add(records, make_job(1))

    async def go_on() -> None:
        async with records.begin() as tx:
            await tx.add_job(make_job(2))
            await tx.add_job(make_job(1))
            with suppress(StorageError):
                await tx.find_job(make_id(1))
            await tx.add_job(make_job(3))

    with pytest.raises(StorageError):
        await go_on()
    async with records.begin() as tx:
        assert [job.id for job in await tx.list_jobs(Page(10))] == [make_id(1)]


async def test_transactions_wait_for_each_other_in_turn(records: Records) -> None:
    await add(records, make_job(lines=0))

    async def count_up() -> None:
        for _ in range(10):
            async with records.begin() as tx:
                job = await tx.find_job(make_id(1))
                assert job is not None
                await tx.change_job(job.id, OPEN, lines=job.lines + 1)

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(count_up())
    async with records.begin() as tx:
        job = await tx.find_job(make_id(1))
    assert job is not None
    assert job.lines == 100


async def test_who_comes_first_is_served_first(records: Records) -> None:
    order: list[int] = []

    async def take_turns(number: int) -> None:
        for _ in range(3):
            async with records.begin():
                order.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(take_turns(number))
    assert order == [0, 1, 2] * 3


async def test_cancelled_transactions_happen_or_do_not_and_hinder_nobody(records: Records) -> None:
    """Whatever moment they are cancelled at: both halves are there, or none, and others go on."""
    both = [make_id(number) for number in range(1, 61)]

    async def write(number: int) -> None:
        async with records.begin() as tx:
            await tx.add_job(make_job(number))
            await tx.add_file(make_file(number))

    for number in range(1, 61):
        task = asyncio.create_task(write(number))
        for _ in range(number):
            await asyncio.sleep(0)
        if number % 2:
            await asyncio.to_thread(lambda: None)
        task.cancel()
        await asyncio.wait([task])
    async with asyncio.timeout(5), records.begin() as tx:
        there = [await tx.find_job(key) is not None for key in both]
        files = {file.id for file in await tx.list_files("me", None, Page(100))}
    assert there == [make_id(number, "file-") in files for number in range(1, 61)]


# ---- files ----


async def test_a_file_is_found_by_its_tenant_alone(records: Records) -> None:
    file = make_file(1, expires_at=500.0)
    async with records.begin() as tx:
        await tx.add_file(file)
        assert await tx.find_file(file.id) == await tx.find_file(file.id, "me") == file
        assert await tx.find_file(file.id, "other") is None
        await tx.remove_file(file.id)
        assert await tx.find_file(file.id) is None


async def test_files_come_in_pages_by_purpose(records: Records) -> None:
    files = [make_file(number, purpose="batch" if number % 2 else "batch_output") for number in range(6)]
    async with records.begin() as tx:
        for file in [*files, make_file(9, tenant="other")]:
            await tx.add_file(file)
        assert await tx.list_files("me", None, Page(2)) == [files[5], files[4]]
        assert await tx.list_files("me", "batch", Page(2)) == [files[5], files[3]]
        assert await tx.list_files("me", None, Page(3, after=files[1].id, newest_first=False)) == files[2:5]


async def test_files_expire_unless_an_open_job_reads_them(records: Records) -> None:
    files = [make_file(number, expires_at=500.0) for number in range(3)]
    async with records.begin() as tx:
        for file in [*files, make_file(3, expires_at=501.0), make_file(4)]:
            await tx.add_file(file)
        await tx.add_job(make_job(1, input_file=files[0].id))
        await tx.add_job(make_job(2, input_file=files[1].id, state=State.COMPLETED))
        assert await tx.expired_files(500.0, 10) == files[1:]
        assert await tx.expired_files(500.0, 1) == files[1:2]
        assert await tx.expired_files(499.0, 10) == []
        assert await tx.jobs_using(files[0].id) == [make_id(1)]
        assert await tx.jobs_using(files[1].id) == []


async def test_usage_is_files_and_what_is_open(records: Records) -> None:
    async with records.begin() as tx:
        await tx.add_file(make_file(1, size=7))
        await tx.add_file(make_file(2, size=1 << 40))
        await tx.add_file(make_file(3, tenant="other"))
    await add(records, make_job(1, lines=5), make_job(2, lines=6), make_job(3, lines=99, state=State.FAILED))
    async with records.begin() as tx:
        assert await tx.usage("me") == Usage((1 << 40) + 7, 2, 11)
        assert await tx.usage("nobody") == Usage(0, 0, 0)


# ---- jobs ----


async def test_a_job_comes_back_as_it_went_in(records: Records) -> None:
    job = make_job(
        asker=b"[1]",
        on_interrupt=OnInterrupt.FAIL,
        input_file="file-1",
        lines=1,
        chunks=1,
        ending=Ending.CANCELLED,
        problems=(LineProblem("bad", "is bad"), LineProblem("worse", "é", "body.model", 7)),
        results="file-2",
        errors="file-3",
        reached={State.VALIDATING: 1.5, State.IN_PROGRESS: 2.25},
        callback_url="https://example.com/",
        keep_until=9.0,
    )
    await add(records, job)
    async with records.begin() as tx:
        assert await tx.find_job(job.id) == job
        assert await tx.find_job(job.id, "me", JobKind.OPENAI) == job
        assert await tx.find_job(job.id, "other") is None
        assert await tx.find_job(job.id, "me", JobKind.IVVY) is None


async def test_pages_are_stable_while_new_jobs_arrive(records: Records) -> None:
    await add(records, *[make_job(number) for number in range(10, 15)])
    async with records.begin() as tx:
        first = [job.id for job in await tx.list_jobs(Page(2))]
    await add(records, make_job(15))
    async with records.begin() as tx:
        second = [job.id for job in await tx.list_jobs(Page(2, after=first[-1]))]
        third = [job.id for job in await tx.list_jobs(Page(2, after=second[-1]))]
    assert [*first, *second, *third] == [make_id(number) for number in (14, 13, 12, 11, 10)]


async def test_jobs_of_all_kinds_are_in_one_order(records: Records) -> None:
    by_time = [
        make_job(1),
        make_job(2, id=make_id(2, ""), kind=JobKind.IVVY),
        make_job(3, id=make_id(3, "job_"), kind=JobKind.NATIVE, state=State.COMPLETED, tenant="other"),
        make_job(4),
    ]
    await add(records, *by_time)
    async with records.begin() as tx:
        assert await tx.list_jobs(Page(10)) == by_time[::-1]
        assert await tx.list_jobs(Page(2, by_time[0].id, newest_first=False)) == by_time[1:3]
        assert await tx.list_jobs(Page(10), tenant="me", kind=JobKind.IVVY) == [by_time[1]]
        assert await tx.list_jobs(Page(10), states=frozenset({State.COMPLETED})) == [by_time[2]]
        assert await tx.list_jobs(Page(10), states=frozenset()) == []


async def test_a_job_changes_only_from_the_states_said(records: Records) -> None:
    await add(records, make_job())
    running = frozenset({State.IN_PROGRESS})
    async with records.begin() as tx:
        changed = await tx.change_job(make_id(1), running, state=State.CANCELLING, ending=Ending.CANCELLED, reached={})
        assert changed == make_job(state=State.CANCELLING, ending=Ending.CANCELLED)
        assert await tx.change_job(make_id(1), running, state=State.FINALIZING) is None
        assert await tx.find_job(make_id(1)) == changed
        assert await tx.change_job(make_id(2), running, lines=1) is None


async def test_a_job_goes_no_way_that_there_is_not(records: Records) -> None:
    await add(records, make_job())
    async with records.begin() as tx:
        with pytest.raises(ValueError, match="a job cannot become completed after in_progress"):
            await tx.change_job(make_id(1), frozenset({State.FINALIZING, State.IN_PROGRESS}), state=State.COMPLETED)
        with pytest.raises(ValueError, match="a job's failed, nonsense cannot be changed"):
            await tx.change_job(make_id(1), OPEN, failed=1, nonsense=2)


async def test_a_job_is_forgotten_with_all_that_is_its(records: Records) -> None:
    jobs = [make_job(1, state=State.COMPLETED, keep_until=500.0), make_job(2, keep_until=500.0)]
    await add(records, *jobs, chunks=1)
    async with records.begin() as tx:
        await tx.add_part(Part(jobs[0].id, 0, Series.RESULTS, "k", ((0, 5),)), 0, 0)
        await tx.add_intents(jobs[0].id, 0, [1])
        await tx.add_delivery(Delivery("d", jobs[0].id, "me", "https://example.com/"))
        assert await tx.jobs_to_forget(499.0, 10) == []
        assert await tx.jobs_to_forget(500.0, 10) == [jobs[0]]
        await tx.remove_job(jobs[0].id)
        assert await tx.find_job(jobs[0].id) is None
        assert await tx.parts(jobs[0].id) == []
        assert await tx.intents(jobs[0].id, 0) == frozenset()
        assert await tx.list_deliveries() == []
        assert await tx.lease(jobs[0].id, 0, "t", 1.0) is None
        assert await tx.find_job(jobs[1].id) == jobs[1]


# ---- chunks ----


async def test_the_latest_lease_alone_holds_a_chunk(records: Records) -> None:
    job = make_job()
    await add(records, job, chunks=2)

    async def work(token: str) -> Chunk | None:
        async with records.begin() as tx:
            return await tx.lease(job.id, 1, token, 5.0)

    leased = await asyncio.gather(*[work(token) for token in "abc"])
    assert sorted([(chunk.attempts, chunk.first_line, chunk.start) for chunk in leased if chunk]) == [
        (number, 10, 1000) for number in (1, 2, 3)
    ]
    (latest,) = [chunk.token for chunk in leased if chunk and chunk.attempts == 3]
    async with records.begin() as tx:
        held = {token: await tx.holds(job.id, 1, token, 6.0) for token in "abc"}
    assert held == {token: Held(None) if token == latest else None for token in "abc"}


async def test_a_fenced_worker_adds_nothing(records: Records) -> None:
    job = make_job()
    await add(records, job, chunks=1)

    async def flush(token: str, key: str) -> bool:
        async with records.begin() as tx:
            if await tx.holds(job.id, 0, token, 1.0) is None:
                return False
            await tx.add_part(Part(job.id, 0, Series.RESULTS, key, ((0, 5), (3, 7))), 1, 1)
            return True

    async with records.begin() as tx:
        await tx.lease(job.id, 0, "old", 1.0)
    assert await flush("old", "first")
    async with records.begin() as tx:
        await tx.lease(job.id, 0, "new", 2.0)
    assert not await flush("old", "lost")
    assert await flush("new", "second")
    async with records.begin() as tx:
        assert [part.key for part in await tx.parts(job.id)] == ["first", "second"]
        assert await tx.find_job(job.id) == change(job, succeeded=2, failed=2)


async def test_a_closed_chunk_is_nobodys(records: Records) -> None:
    job = make_job()
    await add(records, job, chunks=3)
    async with records.begin() as tx:
        await tx.lease(job.id, 1, "t", 1.0)
        await tx.add_intents(job.id, 1, [10, 11])
        assert await tx.close_chunk(job.id, 1) == 2
        assert await tx.holds(job.id, 1, "t", 2.0) is None
        assert await tx.lease(job.id, 1, "u", 2.0) is None
        assert await tx.intents(job.id, 1) == frozenset()
        assert await tx.close_chunk(job.id, 1) == 2
        assert await tx.close_chunk(job.id, 0) == 1
        assert await tx.close_chunk(job.id, 2) == 0


@pytest.mark.parametrize("state", list(State))
async def test_nobody_holds_a_chunk_of_a_job_that_does_not_run(records: Records, state: State) -> None:
    job = make_job(state=state)
    await add(records, job, chunks=1)
    async with records.begin() as tx:
        await tx.lease(job.id, 0, "t", 1.0)
        assert (await tx.holds(job.id, 0, "t", 2.0) is not None) == (state in RUNNING)


async def test_counts_are_sums_over_the_chunks_of_each_job(records: Records) -> None:
    jobs = [make_job(1), make_job(2), make_job(3)]
    await add(records, *jobs, chunks=2)
    async with records.begin() as tx:
        for job, number, succeeded, failed in [(0, 0, 5, 1), (0, 1, 7, 0), (1, 1, 2, 3)]:
            part = Part(jobs[job].id, number, Series.RESULTS, f"k{job}{number}", ((0, 1),))
            await tx.add_part(part, succeeded, failed)
        counted = [(job.succeeded, job.failed) for job in await tx.list_jobs(Page(10, newest_first=False))]
    assert counted == [(12, 1), (2, 3), (0, 0)]


async def test_open_chunks_are_those_nobody_works_on(records: Records) -> None:
    running, cancelling = make_job(1), make_job(2, state=State.CANCELLING)
    await add(records, running, cancelling, make_job(3, state=State.FINALIZING), make_job(4, state=State.FAILED), chunks=2)
    async with records.begin() as tx:
        await tx.lease(running.id, 0, "t", 50.0)
        await tx.close_chunk(cancelling.id, 1)
        assert await tx.open_chunks(50.0) == [(running.id, 1), (cancelling.id, 0)]
        await tx.holds(running.id, 0, "t", 60.0)
        assert await tx.open_chunks(60.0) == [(running.id, 1), (cancelling.id, 0)]
        assert await tx.open_chunks(float("inf")) == [(running.id, 0), (running.id, 1), (cancelling.id, 0)]


async def test_parts_come_in_the_order_of_chunks_and_of_writing(records: Records) -> None:
    job = make_job()
    await add(records, job, chunks=2)
    order = [(1, Series.RESULTS), (0, Series.ERRORS), (0, Series.RESULTS), (1, Series.RESULTS), (0, Series.JOURNAL)]
    written = [
        Part(job.id, chunk, series, f"{9 - number}", ((number, 1 << 33),)) for number, (chunk, series) in enumerate(order)
    ]
    async with records.begin() as tx:
        for part in written:
            await tx.add_part(part, 0, 0)
        assert await tx.parts(job.id) == [written[number] for number in (1, 2, 4, 0, 3)]
        assert await tx.parts(job.id, Series.RESULTS) == [written[number] for number in (2, 0, 3)]
        assert await tx.parts(job.id, Series.RESULTS, 1) == [written[0], written[3]]
        await tx.drop_parts(job.id)
        assert await tx.parts(job.id) == []


async def test_intents_are_noted_once(records: Records) -> None:
    await add(records, make_job(), chunks=2)
    async with records.begin() as tx:
        await tx.add_intents(make_id(1), 0, [1, 2])
        await tx.add_intents(make_id(1), 0, [2, 3, 3])
        await tx.add_intents(make_id(1), 1, [])
        assert await tx.intents(make_id(1), 0) == {1, 2, 3}
        assert await tx.intents(make_id(1), 1) == frozenset()


# ---- deliveries, backlog ----


async def test_deliveries_are_found_changed_and_listed(records: Records) -> None:
    await add(records, make_job(1), make_job(2))
    first = Delivery("b", make_id(1), "me", "https://example.com/a", created_at=1.0)
    second = Delivery("a", make_id(2), "you", "https://example.com/b", created_at=2.0)
    async with records.begin() as tx:
        await tx.add_delivery(second)
        await tx.add_delivery(first)
        assert await tx.list_deliveries() == [first, second]
        assert await tx.list_deliveries(job_id=first.job, tenant="me") == [first]
        dead = change(second, state="dead", attempts=10, due=7.5, last_status=500, last_error="no")
        fields = {"state": "dead", "attempts": 10, "due": 7.5, "last_status": 500, "last_error": "no"}
        assert await tx.change_delivery("a", **fields) == dead
        assert await tx.change_delivery("none", state="dead") is None
        assert await tx.list_deliveries(state="dead") == [dead]
        assert await tx.list_deliveries(most=1) == [first]
        assert await tx.find_delivery("a") == dead
        assert await tx.find_delivery("none") is None


async def test_the_backlog_is_what_waits(records: Records) -> None:
    async with records.begin() as tx:
        assert await tx.tally(1000.0) == Backlog({}, 0, 0, 0, 0.0)
    await add(records, make_job(1, state=State.COMPLETED), make_job(2), make_job(3), chunks=2)
    async with records.begin() as tx:
        await tx.close_chunk(make_id(1), 0)
        await tx.close_chunk(make_id(1), 1)
        for key, state in (("a", "pending"), ("b", "dead"), ("c", "pending"), ("d", "delivered")):
            await tx.add_delivery(Delivery(key, make_id(1), "me", "https://example.com/", state))
        waits = Backlog({("openai", "completed"): 1, ("openai", "in_progress"): 2}, 4, 2, 1, 898.0)
        assert await tx.tally(1000.0) == waits
        assert (await tx.tally(50.0)).oldest == 0.0
