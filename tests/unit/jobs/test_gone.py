"""What somebody took out of the data folder, or cut: a job ends for that, and is not tried for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.batch.job import Chunk, Ending, Job, JobKind, LineProblem, Part, Series, State
from gateway.jobs.ending.finalise import Finaliser
from gateway.jobs.ports import Files, NoSuchObject, Page, Queue, Records, StorageError
from gateway.jobs.running.chunks import Chunks
from tests.support.line_jobs import House, NoEnvelopes, Upstream, house, running
from tests.support.native_jobs import attempt, native_house, noted, submit
from tests.support.plain_lines import line

RECORDS = b"a 200\nb 200\n"
STATES = {
    State.FINALIZING: (State.COMPLETED, State.FAILED),
    State.CANCELLING: (State.CANCELLED, State.CANCELLED),
    State.IN_PROGRESS: (State.EXPIRED, State.FAILED),
}
"""A job that is to be finalised: what it becomes with its results, and without."""

LOST = {
    JobKind.OPENAI: LineProblem("server_error", "The results of this batch are gone."),
    JobKind.IVVY: LineProblem("storage-failed", "The results of this batch are gone."),
    JobKind.NATIVE: LineProblem("storage-failed", "The results of this batch are gone."),
}

EIGHT = [line(n, f"/users/{n}") for n in range(8)]


# ---- results ----


@asynccontextmanager
async def waiting_job(
    folder: Path, state: State, kind: JobKind, left: bytes | None, **more: Any
) -> AsyncIterator[tuple[House, Job]]:
    """A job all of whose lines are done, with two records in a part of which the folder has only what is `left`."""
    ending = {State.CANCELLING: Ending.CANCELLED, State.IN_PROGRESS: Ending.EXPIRED}.get(state)
    async with house(folder, Upstream(), **more) as at:
        job = Job("batch_1", "everybody", kind, state, 1.0, 2.0, b"{}", chunks=1, lines=3, ending=ending)
        part = Part(job.id, 0, Series.RESULTS, f"jobs/{job.id}/parts/0", ((0, 6), (1, 6)))
        whole = Part(job.id, 0, Series.ERRORS, f"jobs/{job.id}/parts/1", ((2, 6),))
        await at.wiring.files.put(whole.key, b"c 500\n")
        if left is not None:
            await at.wiring.files.put(part.key, left)
        async with at.wiring.records.begin() as tx:
            await tx.add_job(job)
            await tx.add_chunks([Chunk(job.id, 0, 0, 3, 0, 60)])
            await tx.add_part(whole, 0, 1)
            await tx.add_part(part, 2, 0)
            await tx.close_chunk(job.id, 0)
        yield at, job


@pytest.mark.parametrize("kind", list(JobKind))
@pytest.mark.parametrize("state", list(STATES))
@pytest.mark.parametrize("left", [None, RECORDS[:-1], RECORDS], ids=["vanished", "cut", "as it was"])
async def test_a_job_whose_results_are_gone_ends_without_any(
    tmp_path: Path, state: State, kind: JobKind, left: bytes | None
) -> None:
    async with waiting_job(tmp_path, state, kind, left) as (at, job), running(at):
        ended = await at.ended(job.id)
        async with at.wiring.records.begin() as tx:
            files = await tx.list_files("everybody", "batch_output", Page(10))
        assert at.errors == []
    with_results, without = STATES[state]
    if left == RECORDS:
        assert (ended.state, ended.problems) == (with_results, ())
        assert ended.results is not None
        assert len(files) == (2 if kind is JobKind.OPENAI else 0)
    else:
        assert (ended.state, ended.problems) == (without, (LOST[kind],))
        assert (ended.results, ended.errors, files) == (None, None, [])


async def test_a_store_that_cannot_read_a_part_now_is_asked_again(tmp_path: Path) -> None:
    async with waiting_job(tmp_path, State.FINALIZING, JobKind.OPENAI, None) as (at, job):
        part = tmp_path / "objects" / "jobs" / job.id / "parts" / "0"
        part.symlink_to(part)
        with pytest.raises(StorageError):
            await Finaliser(at.wiring).run(job.id)
        assert (await at.job(job.id)).state is State.FINALIZING
        part.unlink()
        part.write_bytes(RECORDS)
        await Finaliser(at.wiring).run(job.id)
        assert (await at.job(job.id)).state is State.COMPLETED


# ---- input ----


async def test_a_file_that_goes_before_it_was_looked_at_fails_its_job(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        job = await at.submit(EIGHT)
        await at.wiring.files.remove([f"files/{job.input_file}"])
        async with running(at):
            ended = await at.ended(job.id)
    assert (ended.state, [one.message for one in ended.problems]) == (State.FAILED, ["The input of this batch is gone."])


async def test_lines_that_were_cut_off_are_not_passed_over_in_silence(tmp_path: Path) -> None:
    upstream = Upstream()
    async with house(tmp_path, upstream) as at:
        job = await at.submit_checked(EIGHT)
        await at.wiring.files.put(f"jobs/{job.id}/input", b"\n".join(EIGHT[:6]))
        async with running(at):
            ended = await at.ended(job.id)
    assert (ended.state, [one.message for one in ended.problems]) == (State.FAILED, ["The input of this batch is gone."])
    assert not upstream.requests


class Torn:
    """Files of which nothing beyond `whole` bytes can be read."""

    def __init__(self, files: Files, whole: int) -> None:
        self.put, self.open, self.stream, self.size, self.remove, self.list = (
            files.put, files.open, files.stream, files.size, files.remove, files.list
        )  # fmt: skip
        self._files = files
        self.whole = whole

    async def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """As in the port."""
        if start >= self.whole:
            raise NoSuchObject(key)
        return (await self._files.read(key, start, size))[: self.whole - start]


async def test_the_last_byte_of_an_uploaded_file_is_missed_too(tmp_path: Path) -> None:
    all_but_one = sum(len(one) + 1 for one in EIGHT) - 2
    async with (
        house(tmp_path, Upstream(), wrap=lambda records, files, queue: (records, Torn(files, all_but_one), queue)) as at,
        running(at),
    ):
        ended = await at.ended((await at.submit(EIGHT)).id)
        assert at.errors == []
    assert (ended.state, [one.message for one in ended.problems]) == (State.FAILED, ["The input of this batch is gone."])


async def test_a_job_that_failed_for_one_chunk_sends_nothing_more_for_the_others(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.holding = True
    half = sum(len(one) + 1 for one in EIGHT[:4])
    settings: dict[str, Any] = {"chunk_lines": 2, "concurrency_per_job": 1}
    async with (
        house(tmp_path, upstream, wrap=lambda records, files, queue: (records, Torn(files, half), queue), **settings) as at,
        running(at),
    ):
        job = await at.submit(EIGHT)
        ended = await at.ended(job.id)
        await at.reaches(job.id, lambda _: not (at.share.in_flight or at.share.waiting))
        assert at.errors == []
    assert ended.state is State.FAILED
    # The one in flight is cancelled once its chunk looks at the job. The other chunk may have had a turn before it does.
    assert len(upstream.requests) <= 2


async def test_chunks_of_a_job_that_failed_are_left_alone_though_the_input_is_there_again(tmp_path: Path) -> None:
    torn: list[Torn] = []

    def tear(records: Records, files: Files, queue: Queue) -> tuple[Records, Files, Queue]:
        torn.append(Torn(files, 0))
        return records, torn[0], queue

    upstream = Upstream()
    async with house(tmp_path, upstream, wrap=tear, chunk_lines=2) as at, running(at):
        job = await at.submit(EIGHT)
        assert (await at.ended(job.id)).state is State.FAILED
        late = Chunks(at.wiring, at.share, NoEnvelopes())
        for torn[0].whole in (0, 1 << 20):
            for number in range(4):
                await late.run(job.id, number)
        assert at.errors == []
    assert not upstream.requests


@pytest.mark.parametrize("what", ["input", "journal"])
@pytest.mark.parametrize("is_cut", [True, False], ids=["cut", "vanished"])
async def test_a_native_batch_whose_input_or_journal_is_gone_fails_and_sends_nothing(
    tmp_path: Path, what: str, is_cut: bool
) -> None:
    upstream = Upstream()
    async with native_house(tmp_path, upstream) as at:
        async with asyncio.TaskGroup() as group:
            upstream.holding = True
            job = await submit(at)
            killed = await attempt(at, job, "first", group)
            await upstream.arrived(1)
            upstream.release()
            await noted(at, job, 1)
            await upstream.arrived(2)
            async with at.wiring.records.begin() as tx:
                await tx.lease(job.id, 0, "nobody", at.wiring.now())
                (first, *_) = await tx.parts(job.id)
            upstream.let_go()
            await killed
        key = f"jobs/{job.id}/input" if what == "input" else first.key
        await at.wiring.files.remove([key])
        if is_cut:
            await at.wiring.files.put(key, b"")
        sent = len(upstream.requests)
        async with running(at):
            ended = await at.ended(job.id)
        assert at.errors == []
    assert (ended.state, [one.code for one in ended.problems]) == (State.FAILED, ["storage-failed"])
    assert len(upstream.requests) == sent
