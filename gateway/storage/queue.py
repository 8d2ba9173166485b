"""The queue of one process. It starts empty: whoever knows the records fills it, as what they say is the truth.

Each kind of task has its lane, so that none waits behind tasks of another kind.
"""

import asyncio
import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import NamedTuple

from gateway.jobs.ports import Handle, Stop, Task, TaskKind, Transaction
from gateway.storage.lane import Lane
from gateway.storage.sql_transaction import SqlTransaction

Report = Callable[[Task, Exception], None]
Name = tuple[TaskKind, str]

_PLACES = {TaskKind.INTAKE: 2, TaskKind.FINALISE: 2, TaskKind.EXPIRE: 4, TaskKind.DELIVER: 32, TaskKind.CLEAN: 1}
"""How many tasks of a kind are done at one time. Callbacks mostly wait, and are limited for each destination."""

_FIRST_RETRY = 0.5
_LONGEST_RETRY = 30.0
"""Seconds. Each retry waits twice as long as the one before, and up to a quarter longer by chance."""

_LOOK_AGAIN = 1.0
"""Seconds after which it looks at the clock again, as that may be set."""


class _Pending(NamedTuple):
    """A task that is not due: the first of `due`, in seconds of either clock. `number` tells those of one time apart."""

    due: float
    number: int
    task: Task


class LocalQueue:
    """`chunks` of them are done at one time. `report` hears of each task that raised, and will be tried again.

    `now` is seconds since 1970, `elapsed` seconds that nobody can set; `chance` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        chunks: int,
        now: Callable[[], float],
        elapsed: Callable[[], float],
        chance: Callable[[], float],
        report: Report,
    ) -> None:
        self._lanes = {kind: Lane(places) for kind, places in {**_PLACES, TaskKind.CHUNK: chunks}.items()}
        self._now = now
        self._elapsed = elapsed
        self._chance = chance
        self._report = report
        self._pending: dict[Name, Task] = {}
        # A task is due by either clock: when one is set back, it does not wait for that time to come round again.
        self._by_now: list[_Pending] = []
        self._by_elapsed: list[_Pending] = []
        self._due: set[Name] = set()
        self._running: set[Name] = set()
        self._again: dict[Name, Task] = {}
        self._failures: dict[Name, int] = {}
        self._numbers = count()
        self._changed = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Tasks that have not begun, due or not."""
        return len(self._pending) + len(self._due)

    @property
    def running(self) -> int:
        """Tasks being done."""
        return len(self._running)

    async def put(self, tx: Transaction, tasks: Sequence[Task]) -> None:
        """As in the port, for transactions of SqlRecords. What is put while it is being done is done once more."""
        if not isinstance(tx, SqlTransaction):
            raise TypeError("the local queue knows only the transactions of its own records")
        tx.after_commit(partial(self._add, tuple(tasks)))

    async def run(self, handle: Handle, stop: Stop) -> None:
        """As in the port."""
        stopping = asyncio.ensure_future(stop.wait())
        stopping.add_done_callback(lambda _: self._changed.set())
        try:
            async with asyncio.TaskGroup() as doing:
                while not stop.is_set():
                    self._changed.clear()
                    self._ripen()
                    for task in self._take():
                        doing.create_task(self._do(task, handle))
                    await self._rest()
        finally:
            stopping.cancel()

    def _add(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            name = (task.kind, task.key)
            if name not in self._running:
                self._wait(task)
            elif name not in self._again or task.not_before < self._again[name].not_before:
                self._again[name] = task
        self._changed.set()

    def _wait(self, task: Task) -> None:
        """Of two with one name, the earlier one waits."""
        name = (task.kind, task.key)
        known = self._pending.get(name)
        if name in self._due or (known is not None and known.not_before <= task.not_before):
            return
        self._pending[name] = task
        number = next(self._numbers)
        delay = max(0.0, task.not_before - self._now())
        heapq.heappush(self._by_now, _Pending(task.not_before, number, task))
        heapq.heappush(self._by_elapsed, _Pending(self._elapsed() + delay, number, task))

    def _ripen(self) -> None:
        """Move what is due into the lanes."""
        for heap, time in ((self._by_now, self._now()), (self._by_elapsed, self._elapsed())):
            while heap and heap[0].due <= time:
                task = heapq.heappop(heap).task
                name = (task.kind, task.key)
                # Otherwise the other clock was faster, or an earlier one has taken its place.
                if self._pending.get(name) is task:
                    del self._pending[name]
                    self._due.add(name)
                    self._lanes[task.kind].add(task)

    def _take(self) -> Iterator[Task]:
        for lane in self._lanes.values():
            while (task := lane.take()) is not None:
                self._due.discard((task.kind, task.key))
                self._running.add((task.kind, task.key))
                yield task

    async def _rest(self) -> None:
        """Until something happens, or it is time to look at the clock."""
        next_due = [
            heap[0].due - time() for heap, time in ((self._by_now, self._now), (self._by_elapsed, self._elapsed)) if heap
        ]
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(_LOOK_AGAIN, *next_due)) if next_due else None):
                await self._changed.wait()

    async def _do(self, task: Task, handle: Handle) -> None:
        name = (task.kind, task.key)
        try:
            await handle(task)
        except BaseException as error:
            self._end(name, task, self._retry_of(name, task))
            if not isinstance(error, Exception):
                raise
            self._report(task, error)
        else:
            self._failures.pop(name, None)
            self._end(name, task, None)

    def _retry_of(self, name: Name, task: Task) -> Task:
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        delay = min(_LONGEST_RETRY, _FIRST_RETRY * 2.0 ** (min(failures, 20) - 1)) * (1.0 + self._chance() / 4)
        return task._replace(not_before=self._now() + delay)

    def _end(self, name: Name, task: Task, retry: Task | None) -> None:
        self._running.discard(name)
        self._lanes[task.kind].give_back(task)
        for following in (self._again.pop(name, None), retry):
            if following is not None:
                self._wait(following)
        self._changed.set()
