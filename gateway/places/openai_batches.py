"""Batches, as OpenAI's clients create, list, read and cancel them."""

from dataclasses import dataclass

from gateway.batch.compile import Rules
from gateway.batch.job import JobKind
from gateway.batch.routes import RouteTable
from gateway.dialects.dialect import Asked
from gateway.dialects.openai_create import Windows, read_creation
from gateway.dialects.openai_objects import describe_batch, describe_list, dump_spec
from gateway.dialects.openai_query import read_batch_listing
from gateway.errors import Refusal
from gateway.jobs.asker import dump_asker
from gateway.jobs.clients import Clients
from gateway.jobs.desk import Desk, Draft
from gateway.jobs.ports import Page
from gateway.messages import Context
from gateway.pipeline import Answer
from gateway.places.openai_calls import answer_json, check_site
from gateway.places.openai_files import about_cursor

_KIND = JobKind.OPENAI


@dataclass(frozen=True, slots=True)
class OpenAIBatches:
    """What can be done with batches. `needs_key`: clients show a key of this gateway."""

    clients: Clients
    desk: Desk
    routes: RouteTable
    rules: Rules
    windows: Windows
    needs_key: bool

    async def create(self, asked: Asked, context: Context) -> Answer:
        """Take a batch in. Its file is looked at later."""
        check_site(asked, context)
        client = self.clients.identify(asked.headers)
        creation = read_creation(asked.body, self.windows, self.routes, self.rules)
        draft = Draft(
            _KIND,
            dump_spec(creation.spec),
            dump_asker(context, self.routes, self.needs_key),
            creation.seconds,
            input_file=creation.input_file,
        )
        return answer_json(describe_batch(await self.desk.submit(client, draft)))

    async def list(self, asked: Asked, context: Context) -> Answer:  # noqa: ARG002  # it is what an Act takes
        """A page of batches, the newest first."""
        client = self.clients.identify(asked.headers)
        listing = read_batch_listing(asked.query)
        try:
            jobs = await self.desk.list(client, _KIND, Page(listing.limit + 1, listing.after))
        except Refusal as refusal:
            raise about_cursor(refusal) from None
        shown = [describe_batch(job) for job in jobs[: listing.limit]]
        return answer_json(describe_list(shown, len(jobs) > listing.limit))

    async def find(self, asked: Asked, context: Context) -> Answer:  # noqa: ARG002
        """One batch."""
        return answer_json(describe_batch(await self.desk.find(self.clients.identify(asked.headers), _KIND, asked.captured[0])))

    async def cancel(self, asked: Asked, context: Context) -> Answer:
        """Have a batch end; as often as that is wanted, unless it has ended otherwise."""
        check_site(asked, context)
        client = self.clients.identify(asked.headers)
        return answer_json(describe_batch(await self.desk.cancel(client, _KIND, asked.captured[0])))
