"""Callbacks as the gateway makes them, without the jobs: the real store, queue and poster.

async with calling(folder, settings) as caller:
    await caller.end_job(receiver.url("/hook"), results)
    delivery = await caller.attempted()                the delivery after the next attempt

As a program (`python -m tests.support.callbacks FOLDER SETTINGS`) it goes on with what is pending there until it is killed.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.batch.job import Delivery, Job, JobKind, State
from gateway.callbacks.guard import Guard
from gateway.callbacks.posting import CallbackPoster
from gateway.config.jobs import CallbackSettings, ClientSettings
from gateway.jobs.drain import Drain
from gateway.jobs.ending.delivery import PENDING, Attempt, Deliveries, make_task, plan
from gateway.jobs.ports import Queue, Task
from gateway.storage.opening import Storage, open_storage
from gateway.storage.queue import LocalQueue
from tests.support.webhook_receiver import PATIENCE

JOB_ID = "0190" + "0" * 28


def allow_loopback(port: int, secrets: tuple[str, ...], **more: object) -> dict[str, Any]:
    """Settings that let callbacks go to a receiver of a test, tried again in a moment; as a mapping."""
    local = {"https_only": False, "ports": [port], "allow": ["127.0.0.0/8"], "retries": [0.05, 0.1, 0.15], "timeout": 5}
    return {"secrets": secrets, **local, **more}


class Caller:
    """The end of a job, and all that follows of it."""

    def __init__(self, storage: Storage, queue: Queue, deliveries: Deliveries, attempts: asyncio.Queue[Attempt]) -> None:
        self.storage = storage
        self.deliveries = deliveries
        self._queue = queue
        self._attempts = attempts

    async def end_job(self, url: str, results: bytes, job_id: str = JOB_ID, tenant: str = "shop") -> Job:
        """A job that has just ended, with these results, whose client wants them at this URL."""
        key, now = f"jobs/{job_id}/results", time.time()
        job = Job(job_id, tenant, JobKind.IVVY, State.COMPLETED, now, now + 60, b"{}", results=key, callback_url=url)
        delivery = plan(job, now)
        assert delivery is not None
        await self.storage.files.put(key, results)
        async with self.storage.records.begin() as tx:
            await tx.add_job(job)
            await tx.add_delivery(delivery)
            await self._queue.put(tx, [make_task(delivery)])
        return job

    async def attempted(self) -> Delivery:
        """The delivery as the next attempt leaves it."""
        async with asyncio.timeout(PATIENCE):
            return (await self._attempts.get()).delivery

    async def over(self) -> Delivery:
        """The delivery when nothing more is tried."""
        delivery = await self.attempted()
        while delivery.state == PENDING:
            delivery = await self.attempted()
        return delivery


@asynccontextmanager
async def calling(
    folder: Path, settings: Mapping[str, Any], clients: Mapping[str, ClientSettings] | None = None
) -> AsyncIterator[Caller]:
    """Makes the callbacks of a data folder, from those that are pending there."""
    read = CallbackSettings.model_validate(settings)
    attempts: asyncio.Queue[Attempt] = asyncio.Queue()
    broken: list[BaseException] = []
    storage = await open_storage(str(folder), os.urandom)
    queue = LocalQueue(8, time.time, time.monotonic, random.random, lambda _, error: broken.append(error))
    poster = CallbackPoster(read, clients or {}, Guard(read), time.time)
    deliveries = Deliveries(
        storage.records,
        storage.files,
        queue,
        poster,
        read,
        where=lambda job: f"/jobs/{job.id}/results",
        now=time.time,
        chance=random.random,
        report=attempts.put_nowait,
        drain=Drain(),
    )

    async def handle(task: Task) -> None:
        await deliveries.attempt(task.key)

    running = asyncio.create_task(queue.run(handle, asyncio.Event()))
    try:
        async with storage.records.begin() as tx:
            await queue.put(tx, [make_task(pending) for pending in await tx.list_deliveries(state=PENDING)])
        yield Caller(storage, queue, deliveries, attempts)
    finally:
        running.cancel()
        await asyncio.wait([running])
        await poster.close()
        await storage.close()
    assert broken == []


async def go_on(folder: str, settings: str) -> None:
    """What the program does."""
    async with calling(Path(folder), json.loads(settings)):
        print("calling", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(go_on(sys.argv[1], sys.argv[2]))
