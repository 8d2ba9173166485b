"""What clients may do with jobs. Every place that takes jobs comes here."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from gateway.batch.job import Job, JobKind, OnInterrupt
from gateway.jobs.clients import Client
from gateway.jobs.ports import Page


class Draft(NamedTuple):
    """A job to be. `spec` and `asker` as in Job; `seconds` is how long it may take.

    Its lines are those of `input_file`, or `lines`, which have been checked and have no line ends. `count` is how many there
    are for who asks, where it is not the number of `lines`. `id` is made where it is empty.
    """

    kind: JobKind
    spec: bytes
    asker: bytes
    seconds: float
    input_file: str | None = None
    lines: Sequence[bytes] | None = None
    callback_url: str | None = None
    on_interrupt: OnInterrupt = OnInterrupt.AUTO
    id: str = ""


class Desk:
    """Takes jobs in, tells about them, and ends them. Each method raises a Refusal; NOT_FOUND for what is another client's."""

    async def submit(self, client: Client, draft: Draft) -> Job:
        """Take a job in: it is durable when this returns, and runs from then on. QUOTA_EXCEEDED, STORAGE_FULL."""
        raise NotImplementedError

    async def find(self, client: Client, kind: JobKind, job_id: str) -> Job:
        """A job, counts included."""
        raise NotImplementedError

    async def list(self, client: Client, kind: JobKind, page: Page) -> Sequence[Job]:
        """Jobs of the kind, counts included. NOT_FOUND if `page.after` is none of the client's."""
        raise NotImplementedError

    async def cancel(self, client: Client, kind: JobKind, job_id: str) -> Job:
        """Have it end; again and again if that is wanted. CONFLICT if it has ended otherwise or is being finalised."""
        raise NotImplementedError

    async def restart(self, client: Client, kind: JobKind, job_id: str) -> Job:
        """Put what is open of it into the queue again. Nothing for a job that has ended."""
        raise NotImplementedError

    async def redeliver(self, client: Client, kind: JobKind, job_id: str) -> Job:
        """Make its callback again, under the same webhook-id. CONFLICT if it has not ended, or has no callback URL."""
        raise NotImplementedError

    def results(self, job: Job) -> AsyncIterator[bytes]:
        """The results of an ended job that are one document, piece by piece."""
        raise NotImplementedError

    async def results_size(self, job: Job) -> int:
        """Bytes of that document."""
        raise NotImplementedError
