"""What every Queue promises, run on the one in the process."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.jobs.ports import Records, Task, TaskKind
from gateway.storage.opening import open_storage
from gateway.storage.queue import LocalQueue
from tests.support.clock import Clock

PATIENCE = 5.0


@pytest.fixture
async def records(tmp_path: Path) -> AsyncIterator[Records]:
    storage = await open_storage(str(tmp_path / "data"), os.urandom)
    yield storage.records
    await storage.close()


class Stage:
    """A queue whose tasks begin when they are taken, and end when the test says so."""

    def __init__(self, records: Records, chunks: int = 1) -> None:
        self.records = records
        self.clock = Clock(1_800_000_000.0)
        self.elapsed = Clock(5.0)
        self.reported: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.queue = LocalQueue(chunks, self.clock, self.elapsed, lambda: 0.0, self._report)
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.ends: dict[str, asyncio.Future[None]] = {}
        self.stop = asyncio.Event()

    def _report(self, task: Task, error: BaseException) -> None:
        self.reported.put_nowait((task.key, str(error)))

    async def put(self, *tasks: Task) -> None:
        async with self.records.begin() as tx:
            await self.queue.put(tx, tasks)

    async def handle(self, task: Task) -> None:
        self.ends[task.key] = asyncio.get_running_loop().create_future()
        self.begun.put_nowait(task.key)
        await self.ends[task.key]

    async def next(self) -> str:
        """The key of the next task that begins."""
        async with asyncio.timeout(PATIENCE):
            return await self.begun.get()

    def end(self, key: str, error: Exception | None = None) -> None:
        """Let a task end."""
        if error is None:
            self.ends.pop(key).set_result(None)
        else:
            self.ends.pop(key).set_exception(error)

    async def pass_time(self, wall: float, elapsed: float) -> None:
        """Move the clocks, and have the queue look at them."""
        self.clock.now += wall
        self.elapsed.now += elapsed
        await self.put()

    async def is_quiet(self) -> bool:
        """Whether nothing begins, once everything that can has happened."""
        await self.put(clean("probe"))
        assert await self.next() == "probe"
        self.end("probe")
        # The queue goes to rest again.
        for _ in range(10):
            await asyncio.sleep(0)
        return self.begun.empty()

    async def finish(self, run: "asyncio.Task[None]") -> None:
        """Have the queue stop, and everything end that was begun."""
        self.stop.set()
        for key in list(self.ends):
            self.end(key)
        async with asyncio.timeout(PATIENCE):
            await run


@pytest.fixture
async def stage(records: Records, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    stage = Stage(records, chunks=getattr(request, "param", 1))
    run = asyncio.create_task(stage.queue.run(stage.handle, stage.stop))
    yield stage
    await stage.finish(run)


def chunk(job: str, number: int = 0, not_before: float = 0.0) -> Task:
    return Task(TaskKind.CHUNK, f"{job}/{number}", not_before)


def clean(key: str) -> Task:
    return Task(TaskKind.CLEAN, key)


async def test_a_task_is_done_once_its_transaction_is_kept(stage: Stage) -> None:
    async with stage.records.begin() as tx:
        await stage.queue.put(tx, [chunk("a")])
        assert (stage.queue.waiting, stage.queue.running) == (0, 0)
    assert await stage.next() == "a/0"
    assert (stage.queue.waiting, stage.queue.running) == (0, 1)
    stage.end("a/0")
    assert await stage.is_quiet()


async def test_a_task_of_a_dropped_transaction_is_never_done(stage: Stage) -> None:
    async def give_up() -> None:
        async with stage.records.begin() as tx:
            await stage.queue.put(tx, [chunk("a")])
            raise KeyError

    with pytest.raises(KeyError):
        await give_up()
    assert await stage.is_quiet()


async def test_who_is_cancelled_while_it_is_kept_still_has_the_task_done(stage: Stage) -> None:
    """A client may leave at any moment: what the records have, the queue has."""

    async def ask(number: int, ready: asyncio.Event) -> None:
        async with stage.records.begin() as tx:
            await stage.queue.put(tx, [chunk("a", number)])
            await tx.usage("me")
            ready.set()

    for number in range(20):
        ready = asyncio.Event()
        task = asyncio.create_task(ask(number, ready))
        await ready.wait()
        for _ in range(number):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    async with asyncio.timeout(PATIENCE), stage.records.begin():
        pass
    assert stage.queue.waiting + stage.queue.running == 20


async def test_a_task_that_waits_is_not_added_again(stage: Stage) -> None:
    await stage.put(chunk("busy"))
    assert await stage.next() == "busy/0"
    await stage.put(chunk("a"), chunk("a"))
    await stage.put(chunk("a"))
    assert stage.queue.waiting == 1
    stage.end("busy/0")
    assert await stage.next() == "a/0"
    stage.end("a/0")
    assert await stage.is_quiet()


async def test_a_task_put_while_it_is_done_is_done_once_more(stage: Stage) -> None:
    await stage.put(chunk("a"))
    assert await stage.next() == "a/0"
    await stage.put(chunk("a"), chunk("a"))
    assert await stage.is_quiet()
    stage.end("a/0")
    assert await stage.next() == "a/0"
    stage.end("a/0")
    assert await stage.is_quiet()


async def test_a_small_job_is_not_stuck_behind_a_large_one(stage: Stage) -> None:
    await stage.put(*[chunk("large", number) for number in range(200)])
    assert await stage.next() == "large/0"
    await stage.put(chunk("small"), chunk("small", 1))
    order = []
    for key in ["large/0", "large/1", "small/0", "large/2"]:
        stage.end(key)
        order.append(await stage.next())
    assert order == ["large/1", "small/0", "large/2", "small/1"]


@pytest.mark.parametrize("stage", [3], indirect=True, ids=["of three places"])
async def test_one_job_leaves_a_place_to_others(stage: Stage) -> None:
    await stage.put(*[chunk("large", number) for number in range(5)])
    assert [await stage.next(), await stage.next()] == ["large/0", "large/1"]
    assert await stage.is_quiet()
    await stage.put(chunk("small"), chunk("third"))
    assert await stage.next() == "small/0"
    assert await stage.is_quiet()
    stage.end("large/0")
    assert await stage.next() == "large/2"


async def test_no_kind_of_task_waits_for_another(stage: Stage) -> None:
    await stage.put(chunk("a"), chunk("b"), *[Task(kind, kind.value) for kind in TaskKind if kind is not TaskKind.CHUNK])
    begun = {await stage.next() for _ in TaskKind}
    assert begun == {"a/0", "intake", "finalise", "expire", "deliver", "clean"}
    assert stage.queue.waiting == 1


async def test_a_task_waits_for_its_time(stage: Stage) -> None:
    now = stage.clock.now
    await stage.put(chunk("later", not_before=now + 60.0), chunk("soon", not_before=now + 5.0), chunk("past", not_before=now))
    assert await stage.next() == "past/0"
    stage.end("past/0")
    await stage.pass_time(4.9, 4.9)
    assert await stage.is_quiet()
    await stage.pass_time(0.1, 0.1)
    assert await stage.next() == "soon/0"
    stage.end("soon/0")
    assert await stage.is_quiet()
    assert stage.queue.waiting == 1


async def test_of_two_times_the_earlier_counts(stage: Stage) -> None:
    now = stage.clock.now
    await stage.put(chunk("a", not_before=now + 60.0))
    await stage.put(chunk("a", not_before=now + 5.0))
    await stage.put(chunk("a", not_before=now + 90.0))
    assert stage.queue.waiting == 1
    await stage.pass_time(5.0, 5.0)
    assert await stage.next() == "a/0"
    stage.end("a/0")
    await stage.pass_time(100.0, 100.0)
    assert await stage.is_quiet()


@pytest.mark.parametrize(("wall", "elapsed"), [(86_400.0, 0.0), (-86_400.0, 5.0)], ids=["a day forward", "a day back"])
async def test_a_clock_that_is_set_holds_no_task_up(stage: Stage, wall: float, elapsed: float) -> None:
    await stage.put(chunk("a", not_before=stage.clock.now + 5.0))
    await stage.pass_time(wall, elapsed)
    assert await stage.next() == "a/0"


async def test_the_clock_is_looked_at_without_being_asked(stage: Stage) -> None:
    await stage.put(chunk("a", not_before=stage.clock.now + 86_400.0))
    assert await stage.is_quiet()
    stage.clock.now += 86_400.0
    assert await stage.next() == "a/0"


async def test_a_task_that_raises_is_tried_again_later_and_later(stage: Stage) -> None:
    await stage.put(chunk("a"), chunk("b"))
    for delay in (0.5, 1.0, 2.0):
        assert await stage.next() == "a/0"
        stage.end("a/0", RuntimeError(f"wait {delay}"))
        assert await stage.reported.get() == ("a/0", f"wait {delay}")
        if delay == 0.5:
            assert await stage.next() == "b/0"
            stage.end("b/0")
        await stage.pass_time(delay * 0.9, delay * 0.9)
        assert await stage.is_quiet()
        await stage.pass_time(delay * 0.2, delay * 0.2)
    assert await stage.next() == "a/0"


async def test_a_task_that_was_done_begins_anew(stage: Stage) -> None:
    await stage.put(chunk("a"))
    for error in (RuntimeError(), None, RuntimeError()):
        assert await stage.next() == "a/0"
        stage.end("a/0", error)
        assert await stage.is_quiet()
        if error is None:
            await stage.put(chunk("a"))
        else:
            await stage.pass_time(0.6, 0.6)
    assert await stage.next() == "a/0"


async def test_stop_waits_for_what_was_begun_and_begins_no_more(records: Records) -> None:
    stage = Stage(records)
    run = asyncio.create_task(stage.queue.run(stage.handle, stage.stop))
    await stage.put(chunk("a"), chunk("b"))
    assert await stage.next() == "a/0"
    stage.stop.set()
    await asyncio.sleep(0)
    assert not run.done()
    stage.end("a/0")
    async with asyncio.timeout(PATIENCE):
        await run
    assert stage.begun.empty()
    assert (stage.queue.waiting, stage.queue.running) == (1, 0)


async def test_a_transaction_of_somewhere_else_is_refused(stage: Stage) -> None:
    class Other:
        """Not of these records."""

    with pytest.raises(TypeError):
        await stage.queue.put(Other(), [chunk("a")])  # type: ignore[arg-type] # that is the point
