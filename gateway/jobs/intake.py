"""Taking a file of lines in: read it as it streams, check every line, cut it into chunks. All is good, or nothing is sent."""

import asyncio
from collections.abc import AsyncIterator

from gateway.batch.job import Job, LineProblem, State, StoredFile
from gateway.jobs.clients import Clients
from gateway.jobs.cutting import Cutter, window
from gateway.jobs.ending.states import INPUT_GONE, finish, reach
from gateway.jobs.keys import input_of
from gateway.jobs.kind import Checker
from gateway.jobs.lines import FileLine, Splitter
from gateway.jobs.ports import NoSuchObject, Task, TaskKind, Usage
from gateway.jobs.running.chunks import task_of
from gateway.jobs.wiring import Wiring
from gateway.jsontext import change

MOST_PROBLEMS = 1000
"""Problems that are told one by one."""

SLICE = 32
SLICE_BYTES = 256 << 10
"""Lines, and bytes of them, that are checked before others have a turn."""

STEP_ASIDE = 0.002
"""Seconds for which a batch that is answered live has the event loop to itself between two slices."""

_MOST_IN_MEMORY = 64 << 10
"""Bytes split at one time."""


class Problems:
    """Everything wrong with the lines of a job, as far as it is told."""

    def __init__(self) -> None:
        self._told: list[LineProblem] = []
        self._more = 0

    def add(self, problems: list[LineProblem]) -> None:
        """Add some, in the order of the lines."""
        room = MOST_PROBLEMS - len(self._told)
        self._told += problems[:room]
        self._more += len(problems[room:])

    def all(self) -> tuple[LineProblem, ...]:
        """The problems, and how many there are beyond."""
        if not self._more:
            return tuple(self._told)
        return (*self._told, LineProblem(self._told[-1].code, f"and {self._more} more problems"))


class Intake:
    """Takes in the jobs that the queue hands out."""

    def __init__(self, wiring: Wiring, clients: Clients) -> None:
        self._wiring = wiring
        self._clients = clients

    async def run(self, job_id: str) -> None:
        """Have a job's lines run, or have it fail. Nothing if its state has changed meanwhile."""
        async with self._wiring.records.begin() as tx:
            job = await tx.find_job(job_id)
            file = None
            if job is not None and job.input_file is not None:
                file = await tx.find_file(job.input_file, job.tenant)
        if job is None or job.state is not State.VALIDATING:
            return
        problems = self._check_input(job, file)
        if problems:
            await self._fail(job, tuple(problems))
            return
        reading = _Reading(self._wiring, job)
        try:
            await reading.run(self._wiring.files.stream(input_of(job.id) if file is None else file.key))
        except NoSuchObject:
            await self._fail(job, (INPUT_GONE,))
            return
        found = reading.problems.all()
        if found:
            await self._fail(job, found)
        else:
            await self._accept(job, reading.cutter)

    def _check_input(self, job: Job, file: StoredFile | None) -> list[LineProblem]:
        if job.input_file is None:
            return []
        problems = self._wiring.formats[job.kind].check_input(job, file)
        if file is None and not problems:
            return [LineProblem("invalid_request", f"there is no file {job.input_file}", "file_id")]
        return problems

    async def _fail(self, job: Job, problems: tuple[LineProblem, ...]) -> None:
        wiring = self._wiring
        async with wiring.records.begin() as tx:
            now = wiring.now()
            await finish(tx, wiring.queue, job, State.FAILED, now, wiring.settings.retention, problems=problems)

    async def _accept(self, job: Job, cutter: Cutter) -> None:
        wiring = self._wiring
        chunks = cutter.finish()
        counted = change(job, lines=cutter.count, chunks=len(chunks))
        first = window(counted, wiring.settings)
        changes: dict[str, object] = {"lines": counted.lines, "chunks": counted.chunks}
        async with wiring.records.begin() as tx:
            now = wiring.now()
            too_many = self._over_quota(job, counted.lines, await tx.usage(job.tenant))
            if too_many is not None:
                await finish(tx, wiring.queue, job, State.FAILED, now, wiring.settings.retention, problems=(too_many,))
                return
            changes |= {"state": State.IN_PROGRESS, "reached": reach(job, State.IN_PROGRESS, now)}
            begun = await tx.change_job(job.id, frozenset({State.VALIDATING}), **changes)
            if begun is None:
                return
            await tx.add_chunks(chunks)
            await wiring.queue.put(tx, [task_of(job.id, chunk.number) for chunk in chunks[:first]])
            if not chunks:
                reached = reach(begun, State.FINALIZING, now)
                await tx.change_job(job.id, frozenset({State.IN_PROGRESS}), state=State.FINALIZING, reached=reached)
                await wiring.queue.put(tx, [Task(TaskKind.FINALISE, job.id)])

    def _over_quota(self, job: Job, lines: int, usage: Usage) -> LineProblem | None:
        client = self._clients.by_name.get(job.tenant)
        most = None if client is None else client.quota.lines
        if most is None or usage.lines + lines <= most:
            return None
        message = f"{lines} lines beside the {usage.lines} of jobs that have not ended, {most} are allowed in all"
        return LineProblem("quota_exceeded", message)


class _Reading:
    """Reading the lines of one job, and letting others have a turn meanwhile."""

    def __init__(self, wiring: Wiring, job: Job) -> None:
        self.problems = Problems()
        self.cutter = Cutter(job.id, wiring.settings.chunk_lines)
        self._settings = wiring.settings
        self._live = wiring.engine.runs
        self._checker = wiring.formats[job.kind].checker(job) if job.kind in wiring.formats else None
        self._splitter = Splitter(wiring.settings.line)
        self._lines = 0
        self._bytes = 0

    async def run(self, pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            for begin in range(0, len(piece), _MOST_IN_MEMORY):
                for line in self._splitter.feed(piece[begin : begin + _MOST_IN_MEMORY]):
                    await self._take(line)
        for line in self._splitter.end():
            await self._take(line)
        if self._checker is not None:
            self.problems.add(self._checker.finish(self.cutter.count))

    async def _take(self, line: FileLine) -> None:
        if self.cutter.count < self._settings.lines:
            self._check(line, self._checker)
            self.cutter.add(line.start, line.size)
        else:
            # Too many: how many is all that is still of interest.
            self.cutter.count += 1
        self._lines += 1
        self._bytes += line.size
        if self._lines % SLICE == 0 or self._bytes >= SLICE_BYTES:
            self._bytes = 0
            await asyncio.sleep(STEP_ASIDE if self._live else 0)

    def _check(self, line: FileLine, checker: Checker | None) -> None:
        if line.content is None:
            message = f"the line is longer than {self._settings.line} bytes"
            self.problems.add([LineProblem("line_too_long", message, None, line.position)])
        elif checker is not None:
            self.problems.add(checker.check(line.position, line.content))
