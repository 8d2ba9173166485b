"""What operators may see and do of jobs, whoever's they are: on the operators' port, if jobs are taken at all."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

from gateway.admin.edge import Methods
from gateway.admin.edge import Page as Answers
from gateway.batch.job import Delivery, Job, JobKind, State
from gateway.dialects.native_jobs import describe_job, spell_time
from gateway.errors import Refusal
from gateway.jobs.clients import Client
from gateway.jobs.desk import Desk
from gateway.jobs.ports import Page, Records, StorageError
from gateway.jobs.shelf import Shelf
from gateway.jsontext import dump
from gateway.messages import Reason

_ACCEPTED = 202
_JOBS = 50
_MOST = 1000


@dataclass(frozen=True, slots=True)
class JobPages:
    """The pages about jobs and callbacks. `owner` gives the client of a tenant; `now` is seconds since 1970."""

    records: Records
    desk: Desk
    shelf: Shelf
    owner: Callable[[str], Client]
    now: Callable[[], float]

    def find(self, path: str) -> Methods | None:
        """What is at a path of this port, by method."""
        match path.split("/")[1:]:
            case ["jobs"]:
                return self._reads(self._list)
            case ["jobs", job_id] if job_id:
                return self._reads(partial(self._show, job_id))
            case ["jobs", job_id, "results"]:
                return {"GET": partial(self._guard, partial(self._results, job_id))}
            case ["jobs", job_id, "cancel"]:
                return {"POST": partial(self._guard, partial(self._cancel, job_id))}
            case ["callbacks"]:
                return self._reads(self._list_callbacks)
            case ["callbacks", delivery_id, "redeliver"]:
                return {"POST": partial(self._guard, partial(self._redeliver, delivery_id))}
            case _:
                return None

    def _reads(self, page: Answers) -> Methods:
        return dict.fromkeys(("GET", "HEAD"), partial(self._guard, page))

    async def _guard(self, page: Answers, request: web.BaseRequest) -> web.StreamResponse:
        """A web page that an operator looks at may make his browser post here; it cannot keep it from saying so."""
        if request.method == "POST" and "origin" in request.headers:
            raise Refusal(Reason.BAD_REQUEST, "this is for operators' tools: a request from a web page is not done")
        try:
            return await page(request)
        except StorageError as error:
            raise Refusal(Reason.STORAGE_FAILED, str(error)) from None

    async def _list(self, request: web.BaseRequest) -> web.Response:
        query = request.query
        kind = _read_word(query, "kind", JobKind)
        state = _read_word(query, "state", State)
        states = None if state is None else frozenset({state})
        page = Page(_read_limit(query), query.get("after"))
        async with self.records.begin() as tx:
            jobs = await tx.list_jobs(page, query.get("tenant"), kind, states)
        return _json({"jobs": [_describe(job) for job in jobs], "now": spell_time(self.now())})

    async def _show(self, job_id: str, request: web.BaseRequest) -> web.Response:  # noqa: ARG002  # it is what a page takes
        job = await self._find(job_id)
        async with self.records.begin() as tx:
            deliveries = await tx.list_deliveries(job_id=job_id)
        callbacks = {"callbacks": [_describe_delivery(one) for one in deliveries]}
        return _json({**_describe(job), **callbacks, "now": spell_time(self.now())})

    async def _cancel(self, job_id: str, request: web.BaseRequest) -> web.Response:  # noqa: ARG002
        job = await self._find(job_id)
        job = await self.desk.cancel(self.owner(job.tenant), job.kind, job_id)
        return _json(_describe(job), 200 if job.is_final else _ACCEPTED)

    async def _results(self, job_id: str, request: web.BaseRequest) -> web.StreamResponse:
        job = await self._find(job_id)
        wants_errors = "errors" in request.query
        wanted = job.errors if wants_errors else job.results
        if wanted is None:
            what = "errors" if wants_errors else "results"
            raise Refusal(Reason.CONFLICT, f"the job is {job.state.value} and has no {what}")
        response = web.StreamResponse(headers={"content-type": "application/octet-stream"})
        async for piece in await self._open(job, wanted):
            if not response.prepared:
                await response.prepare(request)
            await response.write(piece)
        if not response.prepared:
            await response.prepare(request)
        await response.write_eof()
        return response

    async def _open(self, job: Job, wanted: str) -> AsyncIterator[bytes]:
        if job.kind is not JobKind.OPENAI:
            return self.desk.results(job)
        return self.shelf.read(await self.shelf.find(self.owner(job.tenant), wanted))

    async def _list_callbacks(self, request: web.BaseRequest) -> web.Response:
        query = request.query
        async with self.records.begin() as tx:
            found = await tx.list_deliveries(state=query.get("state"), tenant=query.get("tenant"), most=_read_limit(query))
        return _json({"callbacks": [_describe_delivery(one) for one in found], "now": spell_time(self.now())})

    async def _redeliver(self, delivery_id: str, request: web.BaseRequest) -> web.Response:  # noqa: ARG002
        async with self.records.begin() as tx:
            delivery = await tx.find_delivery(delivery_id)
        if delivery is None:
            raise Refusal(Reason.NOT_FOUND, f"there is no callback {delivery_id[:80]!r}")
        job = await self._find(delivery.job)
        await self.desk.redeliver(self.owner(job.tenant), job.kind, job.id)
        async with self.records.begin() as tx:
            delivery = await tx.find_delivery(delivery_id) or delivery
        return _json(_describe_delivery(delivery), _ACCEPTED)

    async def _find(self, job_id: str) -> Job:
        async with self.records.begin() as tx:
            job = await tx.find_job(job_id)
        if job is None:
            raise Refusal(Reason.NOT_FOUND, f"there is no job {job_id[:80]!r}")
        return job


def _read_word(query: Mapping[str, str], name: str, words: Any) -> Any:
    """The value of a parameter that is one of an enumeration's, or None."""
    if name not in query:
        return None
    try:
        return words(query[name])
    except ValueError:
        raise Refusal(Reason.INVALID_PARAMETER, f"{name} is one of {', '.join(words)}") from None


def _read_limit(query: Mapping[str, str]) -> int:
    limit = query.get("limit", str(_JOBS))
    if not limit.isascii() or not limit.isdecimal() or len(limit) > 9 or not 1 <= int(limit) <= _MOST:
        raise Refusal(Reason.INVALID_PARAMETER, f"limit is a whole number from 1 to {_MOST}")
    return int(limit)


def _describe(job: Job) -> dict[str, Any]:
    """What clients see, and whose it is."""
    described = describe_job(job) | {
        "kind": job.kind.value,
        "tenant": job.tenant,
        "onInterrupt": job.on_interrupt.value,
        "hasResults": job.results is not None,
        "hasErrors": job.errors is not None,
    }
    if job.callback_url is not None:
        described["callbackUrl"] = job.callback_url
    return described


def _describe_delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "job": delivery.job,
        "tenant": delivery.tenant,
        "url": delivery.url,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "createdAt": spell_time(delivery.created_at),
        "due": spell_time(delivery.due),
        "lastStatus": delivery.last_status,
        "lastError": delivery.last_error,
    }


def _json(value: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(status=status, body=dump(value), content_type="application/json")
