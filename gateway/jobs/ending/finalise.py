"""Making the results of a job whose chunks are closed, and telling that it has ended: both at one time, for whoever looks.

The list of parts is frozen by then, so doing it twice writes the same bytes to the same keys; the state changes once. A job
whose parts are gone ends without results.
"""

import hashlib
from collections.abc import Sequence

from gateway.batch.job import Ending, Job, JobKind, LineProblem, Part, Series, State, StoredFile
from gateway.jobs.ending.states import final_state, finish, give_up
from gateway.jobs.gone import Gone, read_exactly
from gateway.jobs.ids import ENTROPY_BYTES, make_id
from gateway.jobs.keys import file_of, results_of
from gateway.jobs.kind import Frame
from gateway.jobs.ports import Files
from gateway.jobs.wiring import Wiring
from gateway.messages import Reason

_NAMES = {Series.RESULTS: "output", Series.ERRORS: "error"}


class Finaliser:
    """Ends the jobs that the queue hands out."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    async def run(self, job_id: str) -> None:
        """Make a job final. Nothing if it is, or if some chunk of it is open."""
        async with self._wiring.records.begin() as tx:
            job = await tx.find_job(job_id)
            state = None if job is None else final_state(job)
            if job is None or state is None or any(of == job_id for of, _ in await tx.open_chunks(float("inf"))):
                return
            parts = [part for part in await tx.parts(job_id) if part.series is not Series.JOURNAL]
        try:
            await self._make_final(job, state, parts)
        except Gone:
            code = "server_error" if job.kind is JobKind.OPENAI else Reason.STORAGE_FAILED.value
            async with self._wiring.records.begin() as tx:
                await give_up(self._wiring, tx, job, (LineProblem(code, "The results of this batch are gone."),))

    async def _make_final(self, job: Job, state: State, parts: Sequence[Part]) -> None:
        lines = self._wiring.formats.get(job.kind)
        frame = None if lines is None else lines.frame(job)
        if lines is not None and frame is None:
            results = await self._make_file(job, Series.RESULTS, parts)
            errors = await self._make_file(job, Series.ERRORS, parts)
            await self._end(job, state, results, errors)
        else:
            await self._end_with_document(job, state, frame, parts)

    async def _make_file(self, job: Job, series: Series, parts: Sequence[Part]) -> StoredFile | None:
        """A file of the records as they stand; None if there are none."""
        of_series = [part for part in parts if part.series is series]
        if not of_series:
            return None
        wiring = self._wiring
        began = job.expires_at if job.ending is Ending.EXPIRED else max(job.reached.values(), default=job.created_at)
        entropy = hashlib.sha256(f"{job.id}/{series.value}".encode()).digest()[:ENTROPY_BYTES]
        file_id = make_id("file-", began, entropy)
        await join(wiring.files, file_of(file_id), of_series)
        keep = wiring.formats[job.kind].keep(job)
        now = wiring.now()
        return StoredFile(
            id=file_id,
            tenant=job.tenant,
            purpose="batch_output",
            filename=f"{job.id}_{_NAMES[series]}.jsonl",
            size=sum([part.size for part in of_series]),
            key=file_of(file_id),
            created_at=now,
            expires_at=now + (wiring.settings.retention.files if keep is None else keep),
        )

    async def _end(self, job: Job, state: State, results: StoredFile | None, errors: StoredFile | None) -> None:
        wiring = self._wiring
        ids = {"results": None if results is None else results.id, "errors": None if errors is None else errors.id}
        async with wiring.records.begin() as tx:
            ended = await finish(tx, wiring.queue, job, state, wiring.now(), wiring.settings.retention, **ids)
            for file in (results, errors):
                if ended is not None and file is not None:
                    await tx.add_file(file)

    async def _end_with_document(self, job: Job, state: State, frame: Frame | None, parts: Sequence[Part]) -> None:
        wiring = self._wiring
        key = results_of(job.id) if frame is not None or parts else None
        if key is not None and frame is not None:
            await join_in_order(wiring.files, key, frame, parts)
        elif key is not None:
            await join(wiring.files, key, parts)
        async with wiring.records.begin() as tx:
            await finish(tx, wiring.queue, job, state, wiring.now(), wiring.settings.retention, results=key)


async def join(files: Files, key: str, parts: Sequence[Part]) -> None:
    """One object of many, one after the other. Raises Gone."""
    async with files.open(key) as writer:
        for part in parts:
            await writer.write(await read_exactly(files, part.key, 0, part.size))


async def join_in_order(files: Files, key: str, frame: Frame, parts: Sequence[Part]) -> None:
    """One object of the records of many, in the order of their lines, in a frame. Holds one record at a time.

    Raises Gone.
    """
    places = []
    for part in parts:
        start = 0
        for line, size in part.index:
            places.append((line, part.key, start, size))
            start += size
    async with files.open(key) as writer:
        await writer.write(frame.head)
        for index, (_, of, start, size) in enumerate(sorted(places)):
            if index:
                await writer.write(frame.separator)
            await writer.write(await read_exactly(files, of, start, size))
        await writer.write(frame.tail)
