"""Where a native batch may be left to run as a job: with `Prefer: respond-async` (RFC 7240 section 4.1)."""

from dataclasses import dataclass
from typing import ClassVar

from gateway.batch.job import JobKind
from gateway.batch.plan import make_plan
from gateway.dialects.dialect import Asked, Encoded
from gateway.dialects.native_jobs import RESPOND_ASYNC, encode_job, json_headers, path_of, prefers_async
from gateway.errors import Refusal
from gateway.jobs.asker import dump_asker
from gateway.jobs.clients import Clients
from gateway.jobs.desk import Desk, Draft
from gateway.messages import Context
from gateway.pipeline import Answer
from gateway.places.batches import Batches
from gateway.places.place import Place, Takes

_ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class DeferredBatches:
    """Runs native batches, later if that is preferred. `now` is the place that runs them at once, `plain` knows how they are
    read; `seconds` is how long one may take as a job; `keys` says whether clients show API keys."""

    takes: ClassVar[Takes] = Takes.JSON
    now: Place
    plain: Batches
    desk: Desk
    clients: Clients
    seconds: float
    keys: bool

    @property
    def dialect(self) -> str:
        """The dialect's name."""
        return self.plain.dialect

    async def serve(self, asked: Asked, context: Context) -> Answer:
        """The answer, or where it will be. Raises a Refusal if the batch is unusable, and then nothing was sent or stored."""
        if not prefers_async(asked.headers.get("prefer", "")):
            if self.clients.is_known(asked.headers):
                others = tuple([field for field in context.headers if field[0] != "authorization"])
                context = context._replace(headers=others)
            return await self.now.serve(asked, context)
        client = self.clients.identify(asked.headers)
        engine = self.plain.engine
        plan = make_plan(self.plain.spoken.decode(asked, engine.rules), engine.routes, engine.rules.limits)
        asker = dump_asker(context, engine.routes, self.keys)
        draft = Draft(JobKind.NATIVE, b"{}", asker, self.seconds, lines=[asked.body], total=len(plan.top))
        job = await self.desk.submit(client, draft)
        headers = (*json_headers(job), ("location", path_of(job.id)), ("preference-applied", RESPOND_ASYNC))
        return Answer(_ACCEPTED, headers, encode_job(job))

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """As the answer at once is refused."""
        return self.now.refuse(refusal, request_id)
