"""All it takes to run jobs whose lines are plain: a real store in a folder, and a scripted upstream."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.batch.compile import Rules
from gateway.batch.job import Chunk, Delivery, Job, JobKind
from gateway.batch.routes import RouteTable
from gateway.config.jobs import JobSettings
from gateway.execution.budget import Budget
from gateway.execution.engine import Engine
from gateway.jobs.asker import dump_asker
from gateway.jobs.clients import EVERYBODY, Client, Clients
from gateway.jobs.desk import Desk, Draft
from gateway.jobs.kind import Frame
from gateway.jobs.ports import Files, Queue, Records, Task
from gateway.jobs.runner import Runner
from gateway.jobs.running.chunks import Envelopes
from gateway.jobs.running.share import Share
from gateway.jobs.shelf import Described, Shelf
from gateway.jobs.wiring import Wiring
from gateway.messages import Outcome, Request, Response
from gateway.storage.opening import open_storage
from gateway.storage.queue import LocalQueue
from tests.support.batches import CONTEXT, PATIENCE, PLENTY, ROUTES
from tests.support.plain_lines import PlainLines


class Upstream:
    """Answers 200 at once, unless it is told to hold requests; notes them all.

    With `holding` requests wait until `release`; `most` is how many were in flight at one time. Upstreams in `left_alone` are
    said to be failing.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.holding = False
        self.answer: Callable[[Request], Outcome] = lambda request: Response(200, (), b"{}")
        self.left_alone: set[str] = set()
        self.held: list[asyncio.Future[None]] = []
        self.in_flight = 0
        self.most = 0
        self._arrived = asyncio.Event()

    async def send(self, request: Request) -> Outcome:
        """The Send."""
        self.requests.append(request)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        self._arrived.set()
        try:
            if self.holding:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self.held.append(future)
                await future
            return self.answer(request)
        finally:
            self.in_flight -= 1

    def leaves_alone(self, upstream: str) -> bool:
        """What a breaker says."""
        return upstream in self.left_alone

    async def arrived(self, count: int) -> None:
        """Wait until so many requests have come in all."""
        async with asyncio.timeout(PATIENCE):
            while len(self.requests) < count:
                self._arrived.clear()
                await self._arrived.wait()

    def release(self, count: int | None = None) -> None:
        """Let requests that are held go, the first ones first."""
        for future in self.held[:count]:
            if not future.done():
                future.set_result(None)
        del self.held[:count]

    def let_go(self) -> None:
        """Hold none any more."""
        self.holding = False
        self.release()

    def targets(self) -> list[str]:
        """Where requests went, in order."""
        return [request.target for request in self.requests]


class NoEnvelopes:
    """For tests without native jobs."""

    async def run(self, chunk: Chunk, job: Job) -> None:
        """There are none."""
        raise AssertionError(f"{job.id} is not expected")


class NoCallbacks:
    """Notes which callbacks were to be made, and makes none."""

    def __init__(self) -> None:
        self.attempted: list[str] = []

    async def attempt(self, delivery_id: str) -> None:
        """Note it."""
        self.attempted.append(delivery_id)

    async def redeliver(self, key: str) -> Delivery | None:
        """There is none."""
        return None


class House:
    """A process with jobs, in a folder that outlives it. `errors` are what tasks raised."""

    def __init__(self, wiring: Wiring, clients: Clients, envelopes: Envelopes) -> None:
        self.wiring = wiring
        self.callbacks = NoCallbacks()
        self.desk = Desk(wiring, self.callbacks)
        self.shelf = Shelf(wiring)
        self.errors: list[BaseException] = []
        engine = wiring.engine
        self.share = Share(wiring.settings, wiring.upstream_shares, lambda: bool(engine.runs), engine.clock)
        self.runner = Runner(wiring, clients, self.share, envelopes, self.callbacks)

    async def submit(
        self, lines: Sequence[bytes], client: Client = EVERYBODY, kind: JobKind = JobKind.OPENAI, **more: Any
    ) -> Job:
        """Upload lines, and make a job of them."""
        file = await self.shelf.add(client, pieces(b"\n".join(lines)), lambda: Described("batch", "lines.jsonl"))
        asker = dump_asker(CONTEXT, ROUTES, True)
        draft = Draft(kind, b"{}", asker, more.pop("seconds", 3600.0), input_file=file.id, **more)
        return await self.desk.submit(client, draft)

    async def submit_checked(self, lines: Sequence[bytes], client: Client = EVERYBODY, **more: Any) -> Job:
        """A job whose lines come with it."""
        asker = dump_asker(CONTEXT, ROUTES, True)
        return await self.desk.submit(client, Draft(JobKind.IVVY, b"{}", asker, 3600.0, lines=lines, **more))

    async def job(self, job_id: str) -> Job:
        """The job as it is now."""
        async with self.wiring.records.begin() as tx:
            found = await tx.find_job(job_id)
        assert found is not None
        return found

    async def ended(self, job_id: str) -> Job:
        """The job once it is final. `start` comes first."""
        return await self.reaches(job_id, lambda job: job.is_final)

    async def reaches(self, job_id: str, wanted: Callable[[Job], bool]) -> Job:
        """The job once it is as wanted."""
        async with asyncio.timeout(PATIENCE):
            while True:
                job = await self.job(job_id)
                if wanted(job):
                    return job
                await asyncio.sleep(0.01)

    async def text(self, file_id: str | None) -> str:
        """What is in a file; nothing if there is none."""
        if file_id is None:
            return ""
        async with self.wiring.records.begin() as tx:
            file = await tx.find_file(file_id)
        assert file is not None
        return (await self.wiring.files.read(file.key)).decode()

    async def records(self, job: Job) -> list[str]:
        """All records of a job, sorted."""
        return sorted((await self.text(job.results) + await self.text(job.errors)).splitlines())


async def pieces(content: bytes, size: int = 1 << 16) -> AsyncIterator[bytes]:
    """Bytes as they would arrive."""
    for begin in range(0, len(content), size):
        yield content[begin : begin + size]


class Wall:
    """A clock on the wall, which tests may set: seconds since 1970."""

    def __init__(self) -> None:
        # Files have the time they were really written at.
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


Wrap = Callable[[Records, Files, Queue], tuple[Records, Files, Queue]]


@asynccontextmanager
async def house(
    folder: Path,
    upstream: Upstream,
    now: Callable[[], float] | None = None,
    clients: Clients | None = None,
    wrap: Wrap = lambda records, files, queue: (records, files, queue),
    envelopes: Envelopes | None = None,
    frame: Frame | None = None,
    routes: RouteTable = ROUTES,
    entropy: Callable[[int], bytes] = os.urandom,
    **settings: Any,
) -> AsyncIterator[House]:
    """A process with jobs, not started; `settings` as in the configuration."""
    now = now or Wall()
    loop = asyncio.get_running_loop()
    shares = settings.pop("upstream_shares", {})
    keyed = frozenset(settings.pop("keyed", ()))
    given = {"enabled": True, "flush": {"interval": "10ms"}, **settings}
    parsed = JobSettings.model_validate(given)
    storage = await open_storage(str(folder), entropy)
    errors: list[BaseException] = []

    def report(task: Task, error: BaseException) -> None:
        errors.append(error)

    try:
        queue = LocalQueue(parsed.chunks, now, loop.time, lambda: 0.0, report)
        records, files, waiting = wrap(storage.records, storage.files, queue)
        engine = Engine(upstream.send, routes, Rules(), loop.time, Budget(PLENTY))
        formats = {JobKind.OPENAI: PlainLines(), JobKind.IVVY: PlainLines(frame or Frame(b"[", b",", b"]"))}
        wiring = Wiring(records, files, waiting, engine, parsed, formats, shares, keyed, now, entropy, upstream.leaves_alone)
        found = House(wiring, clients or Clients({}, False), envelopes or NoEnvelopes())
        found.errors = errors
        yield found
    finally:
        await storage.close()


@asynccontextmanager
async def running(at: House) -> AsyncIterator[House]:
    """A process with jobs that runs, and is stopped in good order."""
    await at.runner.start()
    try:
        yield at
    finally:
        await at.runner.stop(grace=0.05)
