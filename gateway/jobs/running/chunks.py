"""Running a chunk: lease it, go on where it was left, send what has no result yet, close it.

  a  the lease gives the chunk to this token and to no other; whoever had it before can write nothing any more
  b  lines in committed parts are done; a line that was to be sent when the process was killed is interrupted
  c  a chunk that was begun too often without getting on is given up: something in it may kill the process
  d  the transaction that closes the last chunk has the job finalised; others put the next chunk of the job into the queue
  e  what cannot go on, as an upstream is failing, gives its place to other chunks for a while: else a few jobs for one that
     is down would keep all others from running
What is cut short anywhere here is done again from a.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, Protocol

from gateway.batch.job import Chunk, Job, JobKind, Series, State
from gateway.jobs.cutting import window
from gateway.jobs.ending.states import INPUT_GONE, fail, reach
from gateway.jobs.gone import Gone, read_exactly
from gateway.jobs.ids import ENTROPY_BYTES, make_id
from gateway.jobs.keys import file_of, input_of
from gateway.jobs.kind import Line
from gateway.jobs.lines import split_chunk
from gateway.jobs.ports import StorageError, Task, TaskKind, Transaction
from gateway.jobs.running.flushing import Fenced, Flusher, Last, flushing
from gateway.jobs.running.pace import Pace
from gateway.jobs.running.patience import REST
from gateway.jobs.running.recording import Recorder
from gateway.jobs.running.sending import Sending
from gateway.jobs.running.share import Share
from gateway.jobs.wiring import Wiring
from gateway.messages import Failure, Reason

_REMEMBERED = 1000
"""Jobs whose pace is remembered."""


class HandedBack(Exception):
    """The rest of the chunk is for later: for the next start if the gateway is being stopped."""


class Envelopes(Protocol):
    """Runs chunks that are whole batches."""

    async def run(self, chunk: Chunk, job: Job) -> None:
        """Run one, and make its results safe as a single record of Series.RESULTS; the job's document is just that.

        Called for a job that is to end, too. A chunk with more `attempts` than are allowed is to be given up.
        """


class _Resumed(NamedTuple):
    chunk: Chunk
    job: Job
    done: frozenset[int]
    intended: frozenset[int]


class Chunks:
    """Runs the chunks that the queue hands out."""

    def __init__(self, wiring: Wiring, share: Share, envelopes: Envelopes) -> None:
        self._wiring = wiring
        self._share = share
        self._envelopes = envelopes
        self._paces: dict[str, Pace] = {}

    async def run(self, job_id: str, number: int) -> None:
        """Run a chunk to its end, or until it gives its place to others; what is somebody else's is left alone.

        HandedBack if the gateway is being stopped, StorageError if its store does not work: it is for another time.
        """
        try:
            resumed = await self._begin(job_id, number)
            if resumed is None:
                return
            unsent: list[int] = []
            try:
                await self._work(resumed, unsent)
            except StorageError:
                await self._if_ours(resumed.chunk, partial(self._forgive, resumed.chunk, unsent))
                raise
            except HandedBack:
                if self._wiring.drain.is_on:
                    raise
        except Fenced:
            return

    # a
    async def _begin(self, job_id: str, number: int) -> _Resumed | None:
        now = self._wiring.now()
        token = make_id("", now, self._wiring.entropy(ENTROPY_BYTES))
        async with self._wiring.records.begin() as tx:
            chunk = await tx.lease(job_id, number, token, now)
            job = None if chunk is None else await tx.find_job(job_id, counted=False)
            if chunk is None or job is None or job.is_final:  # it may have failed for another chunk
                return None
            if chunk.leases == 1:  # as nearly all are: nothing can be known of it
                return _Resumed(chunk, job, frozenset(), frozenset())
            parts = await tx.parts(job_id, chunk=number)
            intended = await tx.intents(job_id, number)
        done = frozenset([line for part in parts if part.series is not Series.JOURNAL for line, _ in part.index])
        return _Resumed(chunk, job, done, intended - done)

    async def _work(self, resumed: _Resumed, unsent: list[int]) -> None:
        """Run it and close it. `unsent` gets the lines that were noted as about to be sent and were not."""
        chunk, job = resumed.chunk, resumed.job
        if job.kind is JobKind.NATIVE:
            try:
                await self._envelopes.run(chunk, job)
            except HandedBack:
                await self._if_ours(chunk, partial(self._rest, chunk, ()))
                raise
            if not await self._if_ours(chunk, partial(self._close, resumed)):
                raise Fenced(chunk.job)
            return
        try:
            lines = await self._read(chunk, job)
        except Gone:
            await fail(self._wiring, chunk, (INPUT_GONE,))
            return
        left = [line for line in lines if line.number not in resumed.done]
        async with flushing(self._wiring, chunk, job.kind) as flusher:
            flusher.ending = job.ending
            is_complete = await self._send(resumed, flusher, left, unsent)
            flusher.last = partial(self._close, resumed) if is_complete else partial(self._rest, chunk, unsent)
        if not is_complete:
            raise HandedBack(f"{chunk.job}/{chunk.number}")

    async def _if_ours(self, chunk: Chunk, last: Last) -> bool:
        """Do that in a transaction of its own, if the chunk is still ours; whether it is."""
        async with self._wiring.records.begin() as tx:
            if await tx.holds(chunk.job, chunk.number, chunk.token, self._wiring.now()) is None:
                return False
            await last(tx)
        return True

    async def _read(self, chunk: Chunk, job: Job) -> Sequence[Line]:
        key = input_of(job.id) if job.input_file is None else file_of(job.input_file)
        # Lines that came with the job are joined by line ends, so the last one has none, which is counted all the same.
        missing = 1 if job.input_file is None else 0
        content = await read_exactly(self._wiring.files, key, chunk.start, chunk.size, missing)
        return split_chunk(content, chunk.first_line)

    # b
    async def _send(self, resumed: _Resumed, flusher: Flusher, left: Sequence[Line], unsent: list[int]) -> bool:
        job = resumed.job
        lines = self._wiring.formats[job.kind]
        recorder = Recorder(job, lines, flusher)
        rest = []
        for line in left:
            failure = self._give_up(resumed, line)
            if failure is None:
                rest.append(line)
            else:
                recorder.record_unsent(line, failure)
        sending = Sending(self._wiring, job, lines, self._share, flusher, rest, self._find_pace(job))
        try:
            await sending.begin()
        finally:
            closing = sending.end()
            unsent.extend(sending.unsent)
            await asyncio.gather(*closing, return_exceptions=True)
        return sending.is_complete

    def _find_pace(self, job: Job) -> Pace:
        if len(self._paces) >= _REMEMBERED:
            self._paces.clear()
        return self._paces.setdefault(job.id, Pace())

    # c
    def _give_up(self, resumed: _Resumed, line: Line) -> Failure | None:
        if line.number in resumed.intended:
            detail = "the gateway was stopped while this was in flight; it is unknown whether it was processed"
            return Failure(Reason.INTERRUPTED, detail, maybe_processed=True)
        if is_poison(resumed.chunk, self._wiring.settings.attempts):
            return Failure(Reason.JOB_ABANDONED, f"{resumed.chunk.attempts - 1} attempts to run this were cut short")
        return None

    # d
    async def _close(self, resumed: _Resumed, tx: Transaction) -> None:
        """Close the chunk, in the transaction that made the last of its results safe."""
        chunk = resumed.chunk
        if await tx.close_chunk(chunk.job, chunk.number):
            following = chunk.number + window(resumed.job, self._wiring.settings)
            if following < resumed.job.chunks:
                await self._wiring.queue.put(tx, [task_of(chunk.job, following)])
        else:
            await self._finish(tx, chunk.job)

    async def _finish(self, tx: Transaction, job_id: str) -> None:
        job = await tx.find_job(job_id, counted=False)
        if job is None:  # forgotten meanwhile
            return
        if job.ending is None:
            reached = reach(job, State.FINALIZING, self._wiring.now())
            await tx.change_job(job.id, frozenset({State.IN_PROGRESS}), state=State.FINALIZING, reached=reached)
        await self._wiring.queue.put(tx, [Task(TaskKind.FINALISE, job.id)])

    # e
    async def _forgive(self, chunk: Chunk, unsent: Sequence[int], tx: Transaction) -> None:
        """Not to get on because the gateway is stopped, or something else does not work, is no fault of the chunk's."""
        await tx.forgive(chunk.job, chunk.number)
        await tx.drop_intents(chunk.job, chunk.number, unsent)

    async def _rest(self, chunk: Chunk, unsent: Sequence[int], tx: Transaction) -> None:
        await self._forgive(chunk, unsent, tx)
        later = task_of(chunk.job, chunk.number)._replace(not_before=self._wiring.now() + REST)
        await self._wiring.queue.put(tx, [later])


def is_poison(chunk: Chunk, attempts: int) -> bool:
    """Whether a leased chunk was begun so often without getting on that it is given up."""
    return chunk.attempts > attempts


def task_of(job_id: str, number: int) -> Task:
    """What runs a chunk."""
    return Task(TaskKind.CHUNK, f"{job_id}/{number}")
