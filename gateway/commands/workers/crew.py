"""All workers: started, replaced when they die, asked, and ended together."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from gateway.commands.workers.backoff import Backoff
from gateway.commands.workers.channel import Word
from gateway.commands.workers.process import Worker
from gateway.logs import Logs
from gateway.metrics.merging import Families, keep_counts, merge

TRIES = 5
"""How often a worker may end before the first of its kind has listened."""


class NeverListened(Exception):
    """The gateway cannot start. The message says why."""


class Slot:
    """The place of one worker: who has it now, and what those before counted."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.worker: Worker | None = None
        self.filled = asyncio.Event()
        self.restarts = 0
        self.before: Families = {}

    def clear(self, worker: Worker) -> None:
        """Its worker has ended."""
        self.before = merge([self.before, keep_counts(worker.metrics)])
        self.worker = None

    async def ask(self, word: Word) -> Any:
        """Its worker's answer, or None if there is no worker or no answer in time."""
        return None if self.worker is None else await self.worker.ask(word)


class Crew:
    """`count` workers, each made by `start` from its index; a `backoff` for each says when it is replaced."""

    def __init__(
        self,
        count: int,
        start: Callable[[int], Awaitable[Worker]],
        logs: Logs,
        backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        self._start = start
        self._logs = logs
        self._backoff = backoff
        self._ending = asyncio.Event()
        self._keepers: list[asyncio.Task[int]] = []
        self.slots = [Slot(index) for index in range(count)]

    def is_draining(self) -> bool:
        """Whether the workers have been told to end."""
        return self._ending.is_set()

    async def start(self) -> None:
        """Start all and wait until all listen. Raises NeverListened."""
        self._keepers = [asyncio.create_task(self._keep(slot)) for slot in self.slots]
        filled = asyncio.ensure_future(self._wait_until_filled())
        try:
            await asyncio.wait((filled, *self._keepers), return_when=asyncio.FIRST_COMPLETED)
        finally:
            filled.cancel()
        for keeper in self._keepers:
            if keeper.done():
                keeper.result()

    async def drain(self, patience: float) -> None:
        """Let all finish and end, for at most `patience` seconds."""
        self._ending.set()
        self._tell(Word.DRAIN)
        await asyncio.wait(self._keepers, timeout=patience)

    @property
    def has_ended_well(self) -> bool:
        """Whether every worker has ended, gracefully."""
        return all(keeper.done() and keeper.result() == 0 for keeper in self._keepers)

    async def close(self, patience: float) -> None:
        """End those that are left, after `patience` seconds by force."""
        self._ending.set()
        self._tell(Word.STOP)
        if self._keepers and (await asyncio.wait(self._keepers, timeout=patience))[1]:
            for worker in self._workers():
                worker.kill()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def ask(self, word: Word) -> list[Any]:
        """The answers of all, in order; None where there is none."""
        return await asyncio.gather(*(slot.ask(word) for slot in self.slots))

    async def _wait_until_filled(self) -> None:
        for slot in self.slots:
            await slot.filled.wait()

    def _tell(self, word: Word) -> None:
        for worker in self._workers():
            worker.tell(word)

    def _workers(self) -> list[Worker]:
        return [slot.worker for slot in self.slots if slot.worker is not None]

    async def _keep(self, slot: Slot) -> int:
        """Fill a slot until the crew ends; the exit status of its last worker."""
        backoff = self._backoff()
        status = 0
        while not self.is_draining():
            began = time.monotonic()
            status, failure = await self._fill(slot)
            if self.is_draining():
                break
            pause = backoff.wait_after(time.monotonic() - began)
            if not slot.filled.is_set() and (failure or backoff.young >= TRIES):
                raise NeverListened(failure or f"worker {slot.index} ended {TRIES} times before it listened")
            slot.restarts += 1
            self._logs.info("worker-restarts", worker=slot.index, seconds=pause)
            await self._rest(pause)
        return status

    async def _fill(self, slot: Slot) -> tuple[int, str]:
        """One worker from its start to its end: its exit status, and what it said was wrong."""
        try:
            worker = await self._start(slot.index)
        except OSError as error:  # no memory, no processes, no files left
            self._logs.error("worker-not-started", worker=slot.index, detail=str(error))
            return 1, ""
        slot.worker = worker
        self._logs.info("worker-started", worker=slot.index, pid=worker.pid)
        if self.is_draining():  # since a moment ago
            worker.tell(Word.DRAIN)
        status = await worker.attend(slot.filled.set)
        slot.clear(worker)
        self._note_end(slot.index, worker, status)
        return status, worker.failure

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()

    def _note_end(self, index: int, worker: Worker, status: int) -> None:
        fields: dict[str, Any] = {"signal": signal.Signals(-status).name} if status < 0 else {"status": status}
        if worker.failure:
            fields["detail"] = worker.failure
        log = self._logs.error if status else self._logs.info
        log("worker-ended", worker=index, pid=worker.pid, **fields)
