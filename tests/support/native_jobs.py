"""Native batches as jobs, in a house of tests/support/line_jobs.py.

An attempt that is left where it is while another one takes the chunk stands for a process that was killed.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.batch.job import Chunk, Job, JobKind, OnInterrupt, Series
from gateway.jobs.asker import dump_asker
from gateway.jobs.clients import EVERYBODY
from gateway.jobs.desk import Draft
from gateway.jobs.running.envelope import Envelopes
from gateway.jobs.running.flushing import Fenced
from gateway.jobs.running.journal import Past, recall
from gateway.messages import Outcome, Request
from tests.support.batches import CONTEXT, NATIVE, PATIENCE, ROUTES, envelope, ok
from tests.support.line_jobs import House, Upstream, house

CHAIN = envelope(
    {"name": "a", "path": "/users/1"},
    {"name": "b", "method": "POST", "path": "/orders", "body": {"of": "${result=a:$.id}"}},
    {"name": "c", "path": "/orders/${result=b:$.id}"},
)


def answer(request: Request) -> Outcome:
    """An id, and what was asked for."""
    return ok({"id": 7, "path": request.target})


class Native:
    """The Envelopes of a house, made when it stands."""

    house: House

    async def run(self, chunk: Chunk, job: Job) -> None:
        """As they do."""
        await Envelopes(self.house.wiring, self.house.share, NATIVE).run(chunk, job)


@asynccontextmanager
async def native_house(folder: Path, upstream: Upstream, **settings: Any) -> AsyncIterator[House]:
    """A house that runs native jobs."""
    native = Native()
    upstream.answer = answer
    async with house(folder, upstream, envelopes=native, **settings) as at:
        native.house = at
        yield at


async def submit(at: House, body: bytes = CHAIN, on_interrupt: OnInterrupt = OnInterrupt.AUTO) -> Job:
    """Leave a batch to run later."""
    asker = dump_asker(CONTEXT, ROUTES, False)
    total = len(json.loads(body)["requests"])
    draft = Draft(JobKind.NATIVE, b"{}", asker, 3600.0, lines=[body], on_interrupt=on_interrupt, total=total)
    return await at.desk.submit(EVERYBODY, draft)


async def lines(at: House, job: Job) -> list[dict[str, Any]]:
    """The document of results."""
    pieces = [piece async for piece in at.desk.results(job)]
    return [json.loads(line) for line in b"".join(pieces).splitlines()]


async def attempt(at: House, job: Job, token: str, group: asyncio.TaskGroup) -> "asyncio.Task[None]":
    """Begin an attempt, which takes the chunk from any other."""
    async with at.wiring.records.begin() as tx:
        chunk = await tx.lease(job.id, 0, token, at.wiring.now())
        found = await tx.find_job(job.id)
    assert chunk is not None
    assert found is not None
    run = Envelopes(at.wiring, at.share, NATIVE).run(chunk, found)
    return group.create_task(_until_fenced(run))


async def _until_fenced(run: Coroutine[Any, Any, None]) -> None:
    try:
        await run
    except Fenced:
        return


async def remembered(at: House, job: Job) -> Past:
    """What another attempt would know."""
    async with at.wiring.records.begin() as tx:
        parts = await tx.parts(job.id, Series.JOURNAL)
    return recall([(part, await at.wiring.files.read(part.key)) for part in parts])


async def noted(at: House, job: Job, outcomes: int) -> None:
    """Wait until so many outcomes are safe."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if len((await remembered(at, job)).outcomes) >= outcomes:
                return
            await asyncio.sleep(0.01)


async def finished(at: House, job: Job) -> list[dict[str, Any]]:
    """The results as the last attempt has made them safe."""
    async with at.wiring.records.begin() as tx:
        (part,) = await tx.parts(job.id, Series.RESULTS)
    return [json.loads(line) for line in (await at.wiring.files.read(part.key)).splitlines()]
