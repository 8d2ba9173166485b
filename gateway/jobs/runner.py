"""Does what the queue hands out, from the start of the process to its orderly stop."""

import asyncio
from typing import Protocol

from gateway.jobs import reconcile
from gateway.jobs.clients import Clients
from gateway.jobs.ending.expiry import expire
from gateway.jobs.ending.finalise import Finaliser
from gateway.jobs.ending.retention import Cleaning
from gateway.jobs.intake import Intake
from gateway.jobs.ports import StorageError, Task, TaskKind
from gateway.jobs.running.chunks import Chunks, Envelopes
from gateway.jobs.running.share import Share
from gateway.jobs.wiring import Wiring

_ALONE = frozenset({TaskKind.CHUNK, TaskKind.INTAKE, TaskKind.CLEAN})
"""What is not begun a second time while it is done: it would take the chunk from itself."""

AFTER_CUT = 5.0
"""Seconds for making safe what has come when the grace of a stop is over."""


class Deliveries(Protocol):
    """Makes callbacks."""

    async def attempt(self, delivery_id: str) -> None:
        """Make one attempt, and put the next one into the queue if there is to be one."""


class Runner:
    """The jobs of a process. `start`, then `stop`; the queue is empty before that."""

    def __init__(self, wiring: Wiring, clients: Clients, share: Share, envelopes: Envelopes, deliveries: Deliveries) -> None:
        self._wiring = wiring
        self._chunks = Chunks(wiring, share, envelopes)
        self._intake = Intake(wiring, clients)
        self._finaliser = Finaliser(wiring)
        self._cleaning = Cleaning(wiring)
        self._deliveries = deliveries
        self._under_way: set[Task] = set()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin with all that is unfinished. StorageError if the store does not say what that is."""
        await reconcile.reconcile(self._wiring, float("inf"))
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(_tell)

    async def stop(self, grace: float) -> None:
        """Send nothing new, wait up to `grace` seconds for what is in flight, make it safe. The rest is for the next start."""
        self._stop.set()
        self._wiring.drain.begin()
        if self._task is None:
            return
        cut = asyncio.get_running_loop().call_later(grace, self._wiring.drain.cut)
        await asyncio.wait([self._task], timeout=grace + AFTER_CUT)
        cut.cancel()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._wiring.queue.run(self.handle, self._stop))
            group.create_task(self._reconcile())

    async def _reconcile(self) -> None:
        while not await self._is_stopped_within(reconcile.EVERY):
            try:
                await reconcile.reconcile(self._wiring, self._wiring.now() - reconcile.SILENT)
            except StorageError:
                continue

    async def _is_stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return False
        return True

    async def handle(self, task: Task) -> None:
        """Do a task. What it raises means: not done, again later."""
        same = Task(task.kind, task.key)
        if same in self._under_way and task.kind in _ALONE:
            return
        self._under_way.add(same)
        try:
            await self._do(task)
        finally:
            self._under_way.discard(same)

    async def _do(self, task: Task) -> None:
        match task.kind:
            case TaskKind.INTAKE:
                await self._intake.run(task.key)
            case TaskKind.CHUNK:
                job_id, _, number = task.key.partition("/")
                await self._chunks.run(job_id, int(number))
            case TaskKind.FINALISE:
                await self._finaliser.run(task.key)
            case TaskKind.EXPIRE:
                await expire(self._wiring, task.key)
            case TaskKind.DELIVER:
                await self._deliveries.attempt(task.key)
            case TaskKind.CLEAN:
                await self._cleaning.run(task.key)


def _tell(task: "asyncio.Task[None]") -> None:
    """Nobody waits for it before the stop: a bug that ends it would go unheard."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        task.get_loop().call_exception_handler({"message": "jobs run no more", "exception": error, "task": task})
