"""Where native jobs are looked at, listed, ended, and their results taken.

Every request has a client first (Clients.identify); what is another's is not found.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from gateway.batch.job import Job, JobKind
from gateway.dialects.accepted import choose
from gateway.dialects.dialect import Asked, Encoded
from gateway.dialects.native_jobs import (
    EVENT_HEADERS,
    HEARTBEAT,
    encode_event,
    encode_job,
    encode_jobs,
    encode_results,
    json_headers,
    path_of,
    read_index,
    read_page,
)
from gateway.dialects.native_lines import NDJSON
from gateway.dialects.problem import encode_refusal
from gateway.errors import Refusal
from gateway.jobs.clients import Client, Clients
from gateway.jobs.desk import Desk
from gateway.jobs.ports import Page
from gateway.messages import Context, Reason
from gateway.pipeline import Answer, Sink
from gateway.places.place import Place, Takes

_OFFERED = ("application/json", NDJSON.content_type)
_JOBS_OF_PAGE = 20
_RESULTS_OF_PAGE = 100
_MOST = 1000
_ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class JobPlace:
    """Answers clients with what `answer` says; takes no body."""

    takes: ClassVar[Takes] = Takes.NOTHING
    clients: Clients
    answer: Callable[[Client, Asked], Awaitable[Answer]]
    dialect: str = "native"

    async def serve(self, asked: Asked, context: Context) -> Answer:  # noqa: ARG002  # nothing is sent from here
        """The answer for the client whose key is sent. Raises a Refusal, 401 without one."""
        return await self.answer(self.clients.identify(asked.headers), asked)

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """As problem details."""
        return encode_refusal(refusal, request_id)


def make_job_places(
    desk: Desk, clients: Clients, heartbeat: float, look: float = 0.5, is_draining: Callable[[], bool] = bool
) -> dict[str, dict[str, Place]]:
    """The places of native jobs, by path and method. `heartbeat` and `look` are seconds: how long a stream of events may be
    silent, and how often a job is looked at for one. Streams end when the gateway `is_draining`."""

    def place(answer: Callable[[Client, Asked], Awaitable[Answer]]) -> Place:
        return JobPlace(clients, answer)

    shown = Shown(desk)
    events = Events(desk, heartbeat, look, is_draining)
    return {
        "/jobs": dict.fromkeys(("GET", "HEAD"), place(shown.list)),
        "/jobs/{id}": dict.fromkeys(("GET", "HEAD"), place(shown.show)) | {"DELETE": place(shown.cancel)},
        "/jobs/{id}/results": {"GET": place(shown.results)},
        "/jobs/{id}/events": {"GET": place(events.follow)},
    }


@dataclass(frozen=True, slots=True)
class Shown:
    """What is answered about jobs."""

    desk: Desk

    async def list(self, client: Client, asked: Asked) -> Answer:
        """A page of the client's jobs, the newest first."""
        limit, after = read_page(asked.query, _JOBS_OF_PAGE, _MOST)
        jobs = await self.desk.list(client, JobKind.NATIVE, Page(limit + 1, after))
        return Answer(200, json_headers(), encode_jobs(jobs[:limit], limit, len(jobs) > limit))

    async def show(self, client: Client, asked: Asked) -> Answer:
        """A job."""
        job = await self.desk.find(client, JobKind.NATIVE, asked.captured[0])
        return Answer(200, json_headers(job), encode_job(job))

    async def cancel(self, client: Client, asked: Asked) -> Answer:
        """Have a job end: 200 if it has, 202 if it still has to."""
        job = await self.desk.cancel(client, JobKind.NATIVE, asked.captured[0])
        return Answer(200 if job.is_final else _ACCEPTED, json_headers(job), encode_job(job))

    async def results(self, client: Client, asked: Asked) -> Answer:
        """A page of results, or all of them as lines. CONFLICT before the job has ended."""
        job = await self.desk.find(client, JobKind.NATIVE, asked.captured[0])
        check_results(job)
        if choose(asked.headers.get("accept", ""), _OFFERED) == NDJSON.content_type:
            size = await self.desk.results_size(job)
            return Answer(200, NDJSON.headers, b"", None, partial(self._pour, job), size)
        limit, after = read_page(asked.query, _RESULTS_OF_PAGE, _MOST)
        first = read_index(after)
        lines, has_more = await take_entries(self.desk.results(job), first, limit)
        return Answer(200, json_headers(), encode_results(job, lines, limit, first + limit if has_more else None))

    async def _pour(self, job: Job, sink: Sink) -> Answer:
        last = b""
        async for piece in self.desk.results(job):
            await sink.write(last)
            last = piece
        # Who has all the bytes that were promised may leave at once, so the end goes out with the last of them.
        return Answer(200, NDJSON.headers, last)


def check_results(job: Job) -> None:
    """Raise CONFLICT for a job that has no results, or none yet."""
    if not job.is_final:
        detail = f"the job is {job.state.value}: it has results when it has ended, as {path_of(job.id)} says"
        raise Refusal(Reason.CONFLICT, detail, headers=(("retry-after", "1"),))
    if job.results is None:
        raise Refusal(Reason.CONFLICT, f"the job is {job.state.value} and nothing was sent: {path_of(job.id)} says why")


async def take_entries(pieces: AsyncIterator[bytes], first: int, most: int) -> tuple[list[bytes], bool]:
    """Up to `most` lines of a document of results from the one with the index `first`, and whether there are more.

    Its last line is the summary, which is none of them.
    """
    taken: list[bytes] = []
    skipped = 0
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        skips = min(first - skipped, len(lines))
        skipped += skips
        taken += lines[skips:]
        if len(taken) > most + 1:
            return taken[:most], True
    return taken[:-1], False


@dataclass(frozen=True, slots=True)
class Events:
    """Streams of what becomes of jobs. See make_job_places."""

    desk: Desk
    heartbeat: float
    look: float
    is_draining: Callable[[], bool]

    async def follow(self, client: Client, asked: Asked) -> Answer:
        """A stream with an event for each change, until the job has ended. It begins with how things are, so that who comes
        back need not say what he has seen: Last-Event-ID is not read."""
        job = await self.desk.find(client, JobKind.NATIVE, asked.captured[0])
        return Answer(200, EVENT_HEADERS, b"", None, partial(self._tell, client, job))

    async def _tell(self, client: Client, job: Job, sink: Sink) -> Answer:
        loop = asyncio.get_running_loop()
        told, quiet_since = b"", loop.time()
        while not job.is_final and not self.is_draining():
            event = encode_event(job)
            if event != told or loop.time() - quiet_since >= self.heartbeat:
                await sink.write(event if event != told else HEARTBEAT)
                told, quiet_since = event, loop.time()
            await asyncio.sleep(self.look)
            try:
                job = await self.desk.find(client, JobKind.NATIVE, job.id)
            except Refusal:  # gone, or the store does not work: who comes back is told which
                return Answer(200, EVENT_HEADERS, b"")
        return Answer(200, EVENT_HEADERS, encode_event(job) if job.is_final else b"")
