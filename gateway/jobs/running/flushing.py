"""Making results safe: put the part, then one transaction that also says whether the chunk is still ours.

    async with flushing(wiring, chunk, job.kind) as flusher:
        flusher.add(Series.RESULTS, line, record, True)

  a  what is added is held until there are `flush.results` of it, `flush.size` bytes, or `flush.interval` is over
  b  a flush writes one object for each series, then commits their parts and the intents: under our token, or not at all;
     intents that cannot wait until it is time for that are committed alone, but with all that a journal holds
  c  the same transaction reads whether the job is to end; where nothing is flushed that is asked about once a second
The block ends with a flush, and with `last` in its transaction. Fenced comes out of it when the chunk is another's by now;
StorageError when results could not be made safe for a while.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from gateway.batch.job import Chunk, Ending, JobKind, Part, Series
from gateway.execution.budget import Budget
from gateway.jobs.keys import part_of
from gateway.jobs.ports import StorageError, Transaction
from gateway.jobs.running.holding import Held, Holding
from gateway.jobs.wiring import Flushed, Wiring

POLL = 1.0
"""Seconds between two looks at the job while nothing is flushed."""

GROUPING = 0.005
"""Seconds that an intent waits for others to be committed with it."""

PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds before a flush that failed is tried again. Sending it all once more would cost the upstreams more."""


Last = Callable[[Transaction], Awaitable[None]]


class Fenced(Exception):
    """Somebody else works on the chunk: nothing of ours counts any more."""


class Flusher:
    """The results of one leased chunk on their way to the store.

    `ending` is the job's, as last read. `listener` is called, if it is set, after each flush and when `ending` is news. `last`
    is what the transaction of the last flush does beside, if it is set.
    """

    def __init__(self, wiring: Wiring, chunk: Chunk, kind: JobKind) -> None:
        self.ending: Ending | None = None
        self.listener: Callable[[], None] | None = None
        self.last: Last | None = None
        self._wiring = wiring
        self._chunk = chunk
        self._kind = kind
        self._holding = Holding(Budget(wiring.engine.budget.limit, wiring.engine.budget))
        self._intents: list[int] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._flushes = 0
        self._news = asyncio.Event()
        self._hurry = asyncio.Event()
        self._full = asyncio.Event()
        self._end = asyncio.Event()
        self._closed = False
        self._flushing = asyncio.Lock()
        self._is_over = False
        self._oldest = 0.0

    @property
    def unflushed(self) -> int:
        """Bytes of results that are not safe yet."""
        return self._holding.unflushed

    # a
    def add(self, series: Series, line: int, record: bytes, counted: bool | None) -> None:
        """Hold the record of a line until the next flush. `counted`: as a success, a failure, or not at all."""
        holding, flush = self._holding, self._wiring.settings.flush
        if not holding.count:
            self._oldest = asyncio.get_running_loop().time()
        holding.add(series, line, record, counted)
        if holding.count >= flush.results or holding.size >= flush.size:
            self._hurry.set()
            self._full.set()
        self._news.set()

    def intend(self, lines: Sequence[int]) -> "asyncio.Future[None]":
        """Note that lines are about to be sent. The future is done when that is committed; several calls share one commit.

        It is cancelled if the chunk is given up first: then they must not be sent.
        """
        self._intents.extend(lines)
        if not self._waiting:
            self._waiting.append(asyncio.get_running_loop().create_future())
        self._hurry.set()
        self._news.set()
        return self._waiting[-1]

    # b
    async def flush(self) -> None:
        """Make everything safe that was added so far. Raises Fenced, or StorageError, and then it is still held."""
        await self._flush()

    async def finish(self) -> None:
        """Make everything safe that is not, do what is `last`, and take no more."""
        await self._try_patiently(partial(self._flush, self.last))

    async def _flush(self, last: Last | None = None) -> None:
        async with self._flushing:
            if self._is_over:
                return
            held = self._take_held()
            intents, self._intents = self._intents, []
            waiting, self._waiting = self._waiting, []
            began = self._wiring.engine.clock()
            try:
                await self._commit(await self._put(held), held, intents, last)
            except BaseException:
                self._holding.hold_again(held)
                self._intents = intents + self._intents
                self._waiting = waiting + self._waiting
                raise
            self._holding.release(held)
            self._is_over = last is not None
            self._report(held, self._wiring.engine.clock() - began)
        self._tell(waiting)

    def _report(self, held: Held, seconds: float) -> None:
        if held:
            counted = [one.counted for some in held.values() for one in some]
            # What a native batch does not count are notes in its journal, and no lines.
            unsent = 0 if self._kind is JobKind.NATIVE else counted.count(None)
            self._wiring.report(Flushed(self._kind, counted.count(True), counted.count(False), unsent, seconds))

    async def _flush_intents(self) -> None:
        """Commit the intents alone, unless what they mean stands in a journal that is not safe yet."""
        if self._holding.holds(Series.JOURNAL):
            await self._flush()
            return
        async with self._flushing:
            self._hurry.clear()
            intents, self._intents = self._intents, []
            waiting, self._waiting = self._waiting, []
            try:
                await self._commit([], {}, intents, None)
            except BaseException:
                self._intents = intents + self._intents
                self._waiting = waiting + self._waiting
                raise
        self._tell(waiting)

    def _take_held(self) -> Held:
        for event in (self._news, self._hurry, self._full):
            event.clear()
        return self._holding.take()

    def _tell(self, waiting: "list[asyncio.Future[None]]") -> None:
        for committed in waiting:
            if not committed.done():
                committed.set_result(None)
        if self.listener is not None:
            self.listener()

    async def _put(self, held: Held) -> list[Part]:
        chunk = self._chunk
        parts = []
        for series, records in held.items():
            self._flushes += 1
            key = part_of(chunk, self._flushes, series)
            await self._wiring.files.put(key, b"".join([one.content for one in records]))
            index = tuple([(one.line, len(one.content)) for one in records])
            parts.append(Part(chunk.job, chunk.number, series, key, index))
        return parts

    async def _commit(
        self,
        parts: list[Part],
        held: Held,
        intents: list[int],
        last: Last | None,
    ) -> None:
        chunk = self._chunk
        async with self._wiring.records.begin() as tx:
            found = await tx.holds(chunk.job, chunk.number, chunk.token, self._wiring.now())
            if found is None:
                raise Fenced(f"{chunk.job}/{chunk.number} is another's")
            for part in parts:
                counted = [one.counted for one in held[part.series]]
                await tx.add_part(part, counted.count(True), counted.count(False))
            if intents:
                await tx.add_intents(chunk.job, chunk.number, intents)
            if last is not None:
                await last(tx)
        self.ending = found.ending

    # c
    async def keep(self) -> None:
        """Flush when it is time, until `close`."""
        while not self._closed:
            if await self._is_set(self._news, POLL) and not self._closed:
                await self._is_set(self._hurry, self._left())
                if self._intents:
                    await self._is_set(self._full, GROUPING)
            if not self._closed:
                is_early = self._left() > 0 and not self._full.is_set() and not self._holding.holds(Series.JOURNAL)
                await self._try_patiently(self._flush_intents if self._intents and is_early else self.flush)

    def _left(self) -> float:
        """Seconds until results have to be made safe."""
        interval = self._wiring.settings.flush.interval
        return interval - (asyncio.get_running_loop().time() - self._oldest) if self._holding.count else interval

    async def _try_patiently(self, flush: Callable[[], Awaitable[None]]) -> None:
        for pause in PAUSES:
            try:
                await flush()
            except StorageError:
                if self._closed:
                    raise
                await self._is_set(self._end, pause)
            else:
                return
        await flush()

    @staticmethod
    async def _is_set(event: asyncio.Event, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Have `keep` end. Intents that are not committed are given up."""
        self._closed = True
        for event in (self._news, self._hurry, self._full, self._end):
            event.set()
        for committed in self._waiting:
            committed.cancel()
        self._waiting.clear()
        self._intents.clear()

    def abandon(self) -> None:
        """Hold nothing any more."""
        self._holding.release(self._holding.take())


@asynccontextmanager
async def flushing(wiring: Wiring, chunk: Chunk, kind: JobKind) -> AsyncIterator[Flusher]:
    """A Flusher at work. When it fails, the block is cancelled, and what it failed with comes out."""
    flusher = Flusher(wiring, chunk, kind)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(flusher.keep())
            try:
                yield flusher
                await flusher.finish()
            finally:
                flusher.close()
    except BaseExceptionGroup as errors:
        raise _first(errors) from None
    finally:
        flusher.abandon()


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
