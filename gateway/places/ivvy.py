"""Where callback jobs of the ivvy dialect are taken, and asked about."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from gateway.batch.catalog import Catalog
from gateway.batch.job import Job, JobKind
from gateway.batch.operation import Envelope
from gateway.batch.plan import make_plan
from gateway.config.dialects import IvvyDialectSettings
from gateway.config.jobs import JobSettings
from gateway.dialects.dialect import Asked, Encoded
from gateway.dialects.ivvy import (
    Submitted,
    asks_for_progress,
    decode_run,
    encode,
    progress_of,
    read_action,
    read_fields,
    read_id,
)
from gateway.dialects.ivvy_jobs import IvvyJob
from gateway.dialects.ivvy_refusals import BAD_JOB, JSON, Action, add_code, encode_refusal, refuse_jobs
from gateway.dialects.ivvy_signature import read_key, refuse, verify
from gateway.errors import Problem, Refusal
from gateway.execution.engine import Engine
from gateway.jobs.asker import dump_asker
from gateway.jobs.clients import Client, Clients
from gateway.jobs.desk import Desk, Draft
from gateway.messages import Context, Reason
from gateway.pipeline import Answer, Sink
from gateway.places.place import Place, Takes

CheckCallback = Callable[[str], Awaitable[None]]
"""Raises a Refusal, CALLBACK_NOT_ALLOWED, for a URL that results may not be posted to."""


@dataclass(frozen=True, slots=True)
class IvvyBatches:
    """The namespace `batch`. `now` is seconds since 1970."""

    takes: ClassVar[Takes] = Takes.JSON
    spoken: IvvyDialectSettings
    jobs: JobSettings
    clients: Clients
    desk: Desk
    check_callback: CheckCallback
    catalog: Catalog | None
    engine: Engine
    now: Callable[[], float]
    dialect: str = "ivvy"

    async def serve(self, asked: Asked, context: Context) -> Answer:
        """Do what the query says. Raises a Refusal, and then nothing was changed."""
        client = self._identify(asked)
        action = read_action(asked.query)
        fields = read_fields(asked.body, self.engine.rules.limits.depth)
        if action is Action.RUN and asks_for_progress(fields):
            action = Action.PROGRESS
        try:
            if action is Action.RUN:
                return await self._run(client, decode_run(fields, self.jobs.callback_jobs), context)
            return await self._look_after(action, client, read_id(fields))
        except Refusal as refusal:
            raise add_code(refusal, action) from None

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:  # noqa: ARG002  # every place is given it
        """As clients of this dialect know errors."""
        return encode_refusal(refusal)

    def _identify(self, asked: Asked) -> Client:
        if not self.spoken.signed:
            return self.clients.identify(asked.headers)
        found = self.clients.find_signer(read_key(asked.headers))
        if found is None:
            raise refuse("the key or the signature is wrong")
        client, secret = found
        verify(asked, secret, self.now())
        return client

    async def _run(self, client: Client, submitted: Submitted, context: Context) -> Answer:
        self._check(submitted.jobs)
        await self.check_callback(submitted.callback_url)
        asker = dump_asker(context, self.engine.routes, self.jobs.auth == "keys")
        draft = Draft(
            JobKind.IVVY,
            spec=b"{}",
            asker=asker,
            seconds=self.jobs.timeout,
            lines=submitted.lines,
            callback_url=submitted.callback_url,
        )
        job = await self.desk.submit(client, draft)
        return _answer("asyncId", job.id)

    def _check(self, jobs: tuple[IvvyJob, ...]) -> None:
        """An IvvyRefusal if one of them cannot be sent: there is no such call, or no upstream for it."""
        problems: list[Problem] = []
        for index, job in enumerate(jobs):
            pointer = f"/jobs/{index}"
            try:
                operation = job.make_operation(self.catalog, pointer)
                make_plan(Envelope((operation,)), self.engine.routes, self.engine.rules.limits)
            except Refusal as refusal:
                problems.extend(refusal.problems or (Problem(pointer, refusal.reason, refusal.detail),))
        if problems:
            raise refuse_jobs(BAD_JOB, f"Incorrect job format: {problems[0].detail}", tuple(problems))

    async def _look_after(self, action: Action, client: Client, job_id: str) -> Answer:
        job = await self.desk.find(client, JobKind.IVVY, job_id)
        if job.keep_until is not None and job.keep_until <= self.now():
            raise Refusal(Reason.NOT_FOUND, "there is no batch with this id")
        match action:
            case Action.RUN | Action.PROGRESS:
                return _answer("progress", progress_of(job))
            case Action.RESULTS:
                return await self._results(job)
            case Action.RESTART:
                await self.desk.restart(client, JobKind.IVVY, job_id)
                return _answer("restarted", True)
            case Action.REPOST:
                await self.desk.redeliver(client, JobKind.IVVY, job_id)
                return _answer("reposted", True)

    async def _results(self, job: Job) -> Answer:
        if not job.is_final:
            raise Refusal(Reason.CONFLICT, f"the batch has not completed: {progress_of(job)} %")
        if job.results is None:
            raise Refusal(Reason.NOT_FOUND, "this batch has no results")
        length = await self.desk.results_size(job)
        return Answer(200, JSON, b"", stream=partial(self._write, job), length=length)

    async def _write(self, job: Job, sink: Sink) -> Answer:
        last = b""
        async for piece in self.desk.results(job):
            if last:
                await sink.write(last)
            last = piece
        # Who has all the bytes that were promised may leave at once, so the end goes out with the last of them.
        return Answer(200, JSON, last)


def _answer(field: str, value: str | int | bool) -> Answer:
    encoded = encode(field, value)
    return Answer(encoded.status, encoded.headers, encoded.body)


def make_ivvy_places(
    spoken: IvvyDialectSettings,
    jobs: JobSettings,
    clients: Clients,
    desk: Desk,
    check_callback: CheckCallback,
    catalog: Catalog | None,
    engine: Engine,
    now: Callable[[], float],
) -> dict[str, dict[str, Place]]:
    """The places that the configuration asks for: one, if the dialect has a path."""
    if spoken.path is None:
        return {}
    return {spoken.path: {"POST": IvvyBatches(spoken, jobs, clients, desk, check_callback, catalog, engine, now)}}
