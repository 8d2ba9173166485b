"""What clients may do with jobs. Every place that takes jobs comes here."""

from collections.abc import AsyncIterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from gateway.batch.job import NEXT, Chunk, Delivery, Ending, Job, JobKind, OnInterrupt, State
from gateway.errors import Refusal
from gateway.jobs.clients import Client
from gateway.jobs.cutting import Cutter
from gateway.jobs.ending.states import reach
from gateway.jobs.ids import ENTROPY_BYTES, is_id, make_id
from gateway.jobs.keys import input_of
from gateway.jobs.ports import Page, Task, TaskKind, Transaction
from gateway.jobs.quota import check_jobs
from gateway.jobs.reconcile import tasks_of
from gateway.jobs.refusing import refusing
from gateway.jobs.wiring import Wiring
from gateway.jsontext import change
from gateway.messages import Reason

PREFIXES: Mapping[JobKind, str] = MappingProxyType({JobKind.OPENAI: "batch_", JobKind.IVVY: "", JobKind.NATIVE: "job_"})
"""What the ids of jobs begin with."""


class Redelivery(Protocol):
    """Makes callbacks again."""

    async def redeliver(self, key: str) -> Delivery | None:
        """Have the callback of a job made now. None if there is none to make."""


class Draft(NamedTuple):
    """A job to be. `spec` and `asker` as in Job; `seconds` is how long it may take.

    Its lines are those of `input_file`, or `lines`, which have been checked and have no line ends. `total` is how many there
    are for who asks, where it is not the number of `lines`. `id` is made where it is empty.
    """

    kind: JobKind
    spec: bytes
    asker: bytes
    seconds: float
    input_file: str | None = None
    lines: Sequence[bytes] | None = None
    callback_url: str | None = None
    on_interrupt: OnInterrupt = OnInterrupt.AUTO
    id: str = ""
    total: int | None = None


class Desk:
    """Takes jobs in, tells about them, and ends them. Each method raises a Refusal; NOT_FOUND for what is another client's."""

    def __init__(self, wiring: Wiring, redelivery: Redelivery) -> None:
        self._wiring = wiring
        self._redelivery = redelivery

    async def submit(self, client: Client, draft: Draft) -> Job:
        """Take a job in: it is durable when this returns, and runs from then on. QUOTA_EXCEEDED, STORAGE_FULL."""
        with refusing():
            job, chunks = self._make(client, draft)
            # Before anything is written: a client over its quota must not be able to fill the disk.
            async with self._wiring.records.begin() as tx:
                check_jobs(client, await tx.usage(client.name), job.lines)
            if draft.lines is not None:
                await self._wiring.files.put(input_of(job.id), b"\n".join(draft.lines))
            async with self._wiring.records.begin() as tx:
                check_jobs(client, await tx.usage(client.name), job.lines)
                await tx.add_job(job)
                await tx.add_chunks(chunks)
                await self._wiring.queue.put(tx, tasks_of(job, [chunk.number for chunk in chunks], self._wiring.settings))
            return job

    def _make(self, client: Client, draft: Draft) -> tuple[Job, Sequence[Chunk]]:
        """A job as it begins. Lines that came with it were checked, so there is nothing to wait for."""
        now = self._wiring.now()
        on_interrupt = draft.on_interrupt
        if on_interrupt is OnInterrupt.AUTO:
            on_interrupt = OnInterrupt(self._wiring.settings.on_interrupt)
        job = Job(
            id=draft.id or make_id(PREFIXES[draft.kind], now, self._wiring.entropy(ENTROPY_BYTES)),
            tenant=client.name,
            kind=draft.kind,
            state=State.VALIDATING,
            created_at=now,
            expires_at=now + draft.seconds,
            spec=draft.spec,
            asker=draft.asker,
            on_interrupt=on_interrupt,
            input_file=draft.input_file,
            reached={State.VALIDATING: now},
            callback_url=draft.callback_url,
        )
        if draft.lines is None:
            return job, ()
        count = len(draft.lines) if draft.total is None else draft.total
        chunks = self._cut(job, draft.lines, count)
        state = State.IN_PROGRESS if chunks else State.FINALIZING
        return change(job, state=state, lines=count, chunks=len(chunks), reached={**job.reached, state: now}), chunks

    def _cut(self, job: Job, lines: Sequence[bytes], count: int) -> Sequence[Chunk]:
        if job.kind is JobKind.NATIVE:
            size = len(b"\n".join(lines))
            return [Chunk(job.id, 0, 0, count, 0, size)]
        cutter = Cutter(job.id, self._wiring.settings.chunk_lines)
        start = 0
        for line in lines:
            cutter.add(start, len(line) + 1)
            start += len(line) + 1
        return cutter.finish()

    async def find(self, client: Client, kind: JobKind, job_id: str) -> Job:
        """A job, counts included."""
        with refusing():
            async with self._wiring.records.begin() as tx:
                return await _find(tx, client, kind, job_id)

    async def list(self, client: Client, kind: JobKind, page: Page) -> Sequence[Job]:
        """Jobs of the kind, counts included. NOT_FOUND if `page.after` is no id of such a job, of one that is gone perhaps."""
        if page.after is not None and not is_id(PREFIXES[kind], page.after):
            raise Refusal(Reason.NOT_FOUND, "there is no such job")
        with refusing():
            async with self._wiring.records.begin() as tx:
                return await tx.list_jobs(page, client.name, kind)

    async def cancel(self, client: Client, kind: JobKind, job_id: str) -> Job:
        """Have it end; again and again if that is wanted. CONFLICT if it has ended otherwise or is being finalised."""
        with refusing():
            async with self._wiring.records.begin() as tx:
                job = await _find(tx, client, kind, job_id)
                if job.state in {State.CANCELLING, State.CANCELLED}:
                    return job
                if job.ending is not None or State.CANCELLING not in NEXT[job.state]:
                    shown = job.state.value if job.ending is None else job.ending.value
                    raise Refusal(Reason.CONFLICT, f"Cannot cancel a batch with status '{shown}'.")
                reached = reach(job, State.CANCELLING, self._wiring.now())
                changes = {"state": State.CANCELLING, "ending": Ending.CANCELLED, "reached": reached}
                cancelled = await tx.change_job(job_id, frozenset({job.state}), **changes)
                if not job.chunks:
                    await self._wiring.queue.put(tx, [Task(TaskKind.FINALISE, job_id)])
                return cancelled or job

    async def restart(self, client: Client, kind: JobKind, job_id: str) -> Job:
        """Put what is open of it into the queue again. Nothing for a job that has ended."""
        with refusing():
            async with self._wiring.records.begin() as tx:
                job = await _find(tx, client, kind, job_id)
                still = [number for of, number in await tx.open_chunks(float("inf")) if of == job_id]
                await self._wiring.queue.put(tx, tasks_of(job, still, self._wiring.settings))
                return job

    async def redeliver(self, client: Client, kind: JobKind, job_id: str) -> Job:
        """Make its callback again, under the same webhook-id. CONFLICT if it has not ended, or has no callback URL."""
        with refusing():
            job = await self.find(client, kind, job_id)
            if not job.is_final:
                raise Refusal(Reason.CONFLICT, f"the job is {job.state.value}: it has nothing to call back with yet")
            if await self._redelivery.redeliver(job_id) is None:
                raise Refusal(Reason.CONFLICT, "the job has no callback URL")
            return job

    async def results(self, job: Job) -> AsyncIterator[bytes]:
        """The results of an ended job that are one document, piece by piece."""
        with refusing():
            async for piece in self._wiring.files.stream(_document(job)):
                yield piece

    async def results_size(self, job: Job) -> int:
        """Bytes of that document."""
        with refusing():
            return await self._wiring.files.size(_document(job))


async def _find(tx: Transaction, client: Client, kind: JobKind, job_id: str) -> Job:
    job = await tx.find_job(job_id, client.name, kind)
    if job is None:
        raise Refusal(Reason.NOT_FOUND, "there is no such job")
    return job


def _document(job: Job) -> str:
    if job.results is None or job.kind is JobKind.OPENAI:
        raise Refusal(Reason.NOT_FOUND, "the job has no such results")
    return job.results
