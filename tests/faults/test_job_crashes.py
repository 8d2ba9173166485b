"""A process killed at any moment, and started again on its folder: nothing is lost, and nothing that is safe is done twice.

A kill is an exception out of a call to the store, after or before it took effect; from then on nothing works any more.
"""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gateway.batch.job import Job, State
from gateway.errors import Refusal
from gateway.jobs.clients import EVERYBODY
from gateway.jobs.ports import Files, Handle, Queue, Records, Stop, Task, Transaction
from tests.support.line_jobs import House, Upstream, house, running
from tests.support.plain_lines import line

LINES = [line(n, f"/users/{n}", method="POST" if n % 3 == 0 else "GET") for n in range(5)]
POSTED = {f"/users/{n}" for n in range(0, 5, 3)}
SETTINGS: dict[str, Any] = {"chunk_lines": 3, "concurrency_per_job": 2, "flush": {"results": 2, "interval": "1ms"}}
Story = Callable[[House, Job], Awaitable[None]]


class Killed(BaseException):
    """The process is gone."""


class Fate:
    """Kills at the `at`th call to the store, before it takes effect or after; 0 never."""

    def __init__(self, at: int, after: bool) -> None:
        self._at = at
        self._after = after
        self.is_armed = False
        self.calls = 0
        self.is_dead = False
        self.died = asyncio.Event()

    def enter(self) -> bool:
        """A call is about to be made. Returns whether it is the last one."""
        if self.is_dead:
            raise Killed
        self.calls += self.is_armed
        if self.calls == self._at:
            if not self._after:
                self.kill()
            return True
        return False

    def kill(self) -> None:
        """Now."""
        self.is_dead = True
        self.died.set()
        raise Killed


class MortalRecords:
    """Records of a process that is killed at a begin, or at a commit."""

    def __init__(self, records: Records, fate: Fate) -> None:
        self._records = records
        self._fate = fate

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """As in the port."""
        last = False
        async with self._records.begin() as tx:
            yield tx
            last = self._fate.enter()
        if last:
            self._fate.kill()


class MortalFiles:
    """Files of a process that is killed at a write."""

    def __init__(self, files: Files, fate: Fate) -> None:
        self._files = files
        self._fate = fate

    async def put(self, key: str, content: bytes) -> None:
        """As in the port."""
        last = self._fate.enter()
        await self._files.put(key, content)
        if last:
            self._fate.kill()

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[Any]:
        """As in the port."""
        async with self._files.open(key) as writer:
            yield writer
            last = self._fate.enter()
        if last:
            self._fate.kill()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)


class MortalQueue:
    """A queue whose tasks die with the process."""

    def __init__(self, queue: Queue, fate: Fate) -> None:
        self._queue = queue
        self._fate = fate

    async def put(self, tx: Transaction, tasks: Sequence[Task]) -> None:
        """As in the port."""
        await self._queue.put(tx, tasks)

    async def run(self, handle: Handle, stop: Stop) -> None:
        """As in the port; who is killed does nothing more."""

        async def survive(task: Task) -> None:
            try:
                await handle(task)
            except Killed:
                return

        await self._queue.run(survive, stop)


def mortal(fate: Fate) -> Callable[[Records, Files, Queue], tuple[Records, Files, Queue]]:
    """Makes the ports of a house mortal."""

    def wrap(records: Records, files: Files, queue: Queue) -> tuple[Records, Files, Queue]:
        return MortalRecords(records, fate), MortalFiles(files, fate), MortalQueue(queue, fate)

    return wrap


async def live(at: House, fate: Fate, job_id: str, story: Story) -> None:
    """Run until the job has ended, or the process is killed."""

    async def end() -> None:
        await at.runner.start()
        await story(at, await at.job(job_id))
        await at.ended(job_id)

    ending, dying = asyncio.ensure_future(end()), asyncio.ensure_future(fate.died.wait())
    await asyncio.wait([ending, dying], return_when=asyncio.FIRST_COMPLETED)
    fate.is_dead = True
    dying.cancel()
    # It finds out by itself at its next call: a transaction that is cancelled may hold the database for a while.
    await asyncio.gather(ending, dying, return_exceptions=True)
    await at.runner.stop(grace=0.0)


async def committed(at: House, job_id: str) -> set[str]:
    """Where the lines go whose results are safe."""
    async with at.wiring.records.begin() as tx:
        parts = await tx.parts(job_id)
    return {f"/users/{number}" for part in parts for number, _ in part.index}


async def torment(folder: Path, story: Story, after: bool, **settings: Any) -> list[tuple[Job, list[str], Counter[str]]]:
    """Lives and deaths of a job, killed once at every call. The job at its end, its records, and how often each was sent."""
    ends = []
    at_call = 0
    async with house(folder / "new", Upstream()):
        pass
    while True:
        at_call += 1
        fate, upstream = Fate(at_call, after), Upstream()
        # To make a new folder takes longer than all that follows.
        place = shutil.copytree(folder / "new", folder / str(at_call))
        async with house(place, upstream, wrap=mortal(fate), **SETTINGS, **settings) as at:
            job = await at.submit(LINES)
            fate.is_armed = True
            await live(at, fate, job.id, story)
        first = Counter(upstream.targets())
        again = Upstream()
        async with house(place, again, **SETTINGS, **settings) as at:
            safe = await committed(at, job.id)
            async with running(at):
                ended = await at.ended(job.id)
                assert at.errors == []
                ends.append((ended, await at.records(ended), first + Counter(again.targets())))
        assert not safe & set(again.targets()), f"call {at_call}: sent again although its result was safe"
        if not fate.died.is_set():
            return ends


async def nothing(at: House, job: Job) -> None:
    """No story."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_kill_at_any_call_loses_no_line_and_posts_none_twice(tmp_path: Path, after: bool) -> None:
    for ended, records, sent in await torment(tmp_path, nothing, after):
        assert ended.state is State.COMPLETED
        assert [record.split()[0] for record in records] == [str(n) for n in range(5)]
        assert {record.split()[1] for record in records} <= {"200", "interrupted"}
        assert all(sent[target] == 1 for target in POSTED if f"{target[7:]} 200" in records)
        assert all(sent[target] <= 1 for target in POSTED)
        assert ended.succeeded + ended.failed == 5


async def cancel(at: House, job: Job) -> None:
    """Cancel when something has been sent; too late is too late."""
    await at.reaches(job.id, lambda job: job.succeeded > 0 or job.is_final)
    with suppress(Refusal):
        await at.desk.cancel(EVERYBODY, job.kind, job.id)


async def test_a_kill_round_a_cancel_ends_each_line_once(tmp_path: Path) -> None:
    ends = await torment(tmp_path, cancel, after=True)
    for ended, records, sent in ends:
        assert ended.state in {State.COMPLETED, State.CANCELLED}
        assert [record.split()[0] for record in records] == [str(n) for n in range(5)]
        unsent = {f"/users/{record.split()[0]}" for record in records if record.endswith("job-cancelled")}
        assert not unsent & {target for target in POSTED if sent[target]}
        assert ended.succeeded + ended.failed + len(unsent) == 5
