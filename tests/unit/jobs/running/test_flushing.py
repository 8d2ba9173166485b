import asyncio
from pathlib import Path

import pytest

from gateway.batch.job import Chunk, Ending, JobKind, Part, Series, State
from gateway.jobs.ports import Files, Queue, Records, StorageError
from gateway.jobs.running import flushing as module
from gateway.jobs.running.flushing import Fenced, Flusher, flushing
from tests.support.batches import PATIENCE
from tests.support.line_jobs import House, Upstream, house
from tests.support.plain_lines import line


async def leased(at: House) -> Chunk:
    """A chunk of a job whose lines came with it."""
    job = await at.submit_checked([line(n) for n in range(9)])
    async with at.wiring.records.begin() as tx:
        chunk = await tx.lease(job.id, 0, "mine", at.wiring.now())
    assert chunk is not None
    return chunk


async def parts(at: House, chunk: Chunk) -> list[Part]:
    async with at.wiring.records.begin() as tx:
        return list(await tx.parts(chunk.job))


async def add_and_wait(at: House, chunk: Chunk, record: bytes) -> None:
    """Work on a chunk until something goes wrong."""
    async with flushing(at.wiring, chunk, JobKind.OPENAI) as flusher, asyncio.timeout(PATIENCE):
        flusher.add(Series.RESULTS, 0, record, True)
        assert at.wiring.engine.budget.held == len(record)
        await asyncio.Event().wait()


async def test_what_is_added_is_safe_after_the_block_and_counted(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream(), flush={"interval": "1h"}) as at:
        chunk = await leased(at)
        async with flushing(at.wiring, chunk, JobKind.OPENAI) as flusher:
            flusher.add(Series.RESULTS, 2, b"two\n", True)
            flusher.add(Series.RESULTS, 0, b"zero\n", False)
            flusher.add(Series.ERRORS, 1, b"one\n", None)
            assert flusher.unflushed == 13
        assert flusher.unflushed == 0
        found = await parts(at, chunk)
        assert [(part.series, part.index) for part in found] == [
            (Series.RESULTS, ((2, 4), (0, 5))),
            (Series.ERRORS, ((1, 4),)),
        ]
        assert await at.wiring.files.read(found[0].key) == b"two\nzero\n"
        job = await at.job(chunk.job)
        assert (job.succeeded, job.failed) == (1, 1)


@pytest.mark.parametrize("limit", [{"results": 2}, {"size": 10}, {"interval": "1ms"}])
async def test_a_flush_comes_with_so_many_results_or_bytes_or_after_a_while(tmp_path: Path, limit: dict[str, object]) -> None:
    async with house(tmp_path, Upstream(), flush={"results": 1000, "size": "1MiB", "interval": "1h", **limit}) as at:
        chunk = await leased(at)
        flushed = asyncio.Event()
        async with flushing(at.wiring, chunk, JobKind.OPENAI) as flusher, asyncio.timeout(PATIENCE):
            flusher.listener = flushed.set
            flusher.add(Series.RESULTS, 0, b"12345", True)
            flusher.add(Series.RESULTS, 1, b"12345", True)
            await flushed.wait()
            assert flusher.unflushed == 0
            assert len(await parts(at, chunk)) == 1


async def test_intents_are_committed_before_their_future_is_done_and_share_a_commit(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        chunk = await leased(at)
        async with flushing(at.wiring, chunk, JobKind.OPENAI) as flusher, asyncio.timeout(PATIENCE):
            first, second = flusher.intend([3]), flusher.intend([4, 5])
            assert first is second
            await first
            async with at.wiring.records.begin() as tx:
                assert await tx.intents(chunk.job, 0) == {3, 4, 5}


async def test_who_lost_the_chunk_writes_nothing_and_is_told(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        chunk = await leased(at)
        async with at.wiring.records.begin() as tx:
            await tx.lease(chunk.job, 0, "other", at.wiring.now())
        with pytest.raises(Fenced):
            await add_and_wait(at, chunk, b"late")
        assert await parts(at, chunk) == []


async def test_a_job_that_is_to_end_is_seen_without_any_flush(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        chunk = await leased(at)
        async with flushing(at.wiring, chunk, JobKind.OPENAI) as flusher, asyncio.timeout(PATIENCE):
            seen = asyncio.Event()
            async with at.wiring.records.begin() as tx:
                await tx.change_job(chunk.job, frozenset({State.IN_PROGRESS}), ending=Ending.EXPIRED)
            flusher.listener = seen.set
            await seen.wait()
            assert flusher.ending is Ending.EXPIRED


class FullAtFirst:
    """Files that have no room for the first `failures` objects below parts."""

    def __init__(self, files: Files, failures: int) -> None:
        self._files = files
        self._failures = failures

    async def put(self, key: str, content: bytes) -> None:
        if "/parts/" in key and self._failures:
            self._failures -= 1
            raise StorageError("full", is_full=True)
        await self._files.put(key, content)

    def __getattr__(self, name: str) -> object:
        return getattr(self._files, name)


async def test_a_store_that_is_full_for_a_while_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.01, 0.01))

    def wrap(records: Records, files: Files, queue: Queue) -> tuple[Records, Files, Queue]:
        return records, FullAtFirst(files, 2), queue  # type: ignore[return-value]

    async with house(tmp_path, Upstream(), wrap=wrap, flush={"interval": "1ms"}) as at:
        chunk = await leased(at)
        flushed = asyncio.Event()
        async with flushing(at.wiring, chunk, JobKind.OPENAI) as flusher, asyncio.timeout(PATIENCE):
            flusher.listener = flushed.set
            flusher.add(Series.RESULTS, 0, b"a", True)
            await flushed.wait()
        assert [part.index for part in await parts(at, chunk)] == [((0, 1),)]


async def test_a_store_that_stays_full_is_told_and_the_budget_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSES", (0.01,))

    def wrap(records: Records, files: Files, queue: Queue) -> tuple[Records, Files, Queue]:
        return records, FullAtFirst(files, 100), queue  # type: ignore[return-value]

    async with house(tmp_path, Upstream(), wrap=wrap, flush={"interval": "1ms"}) as at:
        chunk = await leased(at)
        with pytest.raises(StorageError, match="full"):
            await add_and_wait(at, chunk, b"abc")
        assert at.wiring.engine.budget.held == 0


async def test_intents_that_were_not_committed_are_given_up(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        flusher = Flusher(at.wiring, await leased(at), JobKind.OPENAI)
        intent = flusher.intend([1])
        flusher.close()
        assert intent.cancelled()


async def test_an_intent_is_not_committed_before_the_journal_that_says_what_it_means(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream(), flush={"interval": "1h"}) as at:
        chunk = await leased(at)
        async with flushing(at.wiring, chunk, JobKind.OPENAI) as flusher, asyncio.timeout(PATIENCE):
            flusher.add(Series.JOURNAL, 1, b"intent", None)
            await flusher.intend([1])
            assert [part.series for part in await parts(at, chunk)] == [Series.JOURNAL]
