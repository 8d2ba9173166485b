"""Callbacks: what is posted when a job has ended, and what follows from the receiver's answer.

2xx                      delivered
410                      dead: the receiver wants no more
anything else, nothing   again when the schedule says so (no redirect is followed), later if Retry-After asks for it;
                         after the last attempt dead, which means kept, listed, and delivered when somebody asks for it

An attempt that was cut short is made again, under the same webhook-id: receivers get a callback at least once. If it was the
orderly stop that cut it, it does not even count.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from gateway.batch.job import Delivery, Job, JobKind
from gateway.config.jobs import CallbackSettings
from gateway.jobs.drain import Cut, Drain
from gateway.jobs.ending.destinations import Destinations, read_destination
from gateway.jobs.ports import Files, NoSuchObject, Queue, Records, Task, TaskKind, Transaction
from gateway.jsontext import change, dump

PENDING = "pending"
DELIVERED = "delivered"
DEAD = "dead"

LONGEST_WAIT = 86_400.0
"""Seconds that a receiver may have the next attempt wait by Retry-After."""

JITTER = 0.1
"""The most that chance adds to a wait, as a part of it: receivers that were down are not called by everybody at once."""


class Posted(NamedTuple):
    """What came of one attempt: the receiver's status, or None and why there is none; `retry_after` in seconds."""

    status: int | None
    error: str = ""
    retry_after: float | None = None


class Poster(Protocol):
    """Posts callbacks."""

    async def post(self, url: str, webhook_id: str, tenant: str, body: bytes) -> Posted:
        """One attempt, signed with the tenant's secrets. Never raises for what the receiver or the network does."""


class Attempt(NamedTuple):
    """One attempt, for metrics and logs: the delivery as it stands now, and what the receiver answered."""

    delivery: Delivery
    posted: Posted


def plan(job: Job, now: float) -> Delivery | None:
    """The callback of a job that ends, if its client wants one. Its id is always the same."""
    if job.callback_url is None:
        return None
    return Delivery(f"msg_{job.id}", job.id, job.tenant, job.callback_url, due=now, created_at=now)


def make_task(delivery: Delivery) -> Task:
    """What has it attempted when it is due."""
    return Task(TaskKind.DELIVER, delivery.id, delivery.due)


def spell_pointer(job: Job, where: str | None) -> bytes:
    """A body in place of the results, where they are too large or there are none. `where` is the path to get them from."""
    body: dict[str, object]
    if job.kind is JobKind.IVVY:
        body = {"asyncId": job.id}
    else:
        counts = {"total": job.lines, "completed": job.succeeded, "failed": job.failed}
        body = {"id": job.id, "state": job.state.value, "counts": counts}
        if job.problems:
            body["problems"] = [{"message": problem.message, "line": problem.line} for problem in job.problems]
    if where is not None:
        body["resultsUrl"] = where
    return dump(body)


def judge(delivery: Delivery, posted: Posted, retries: Sequence[float], now: float, chance: float) -> Delivery:
    """What becomes of a delivery whose last attempt ended so. `retries` as in CallbackSettings, `chance` is from 0 to 1."""
    attempts, state, due = delivery.attempts, PENDING, delivery.due
    if posted.status is not None and 200 <= posted.status < 300:
        state = DELIVERED
    elif posted.status == 410 or attempts > len(retries):
        state = DEAD
    else:
        # The way from one attempt to the next, not the time since the first: after a day off, a gateway must not run through
        # what is left of the schedule in one second.
        wait = retries[attempts - 1] - (retries[attempts - 2] if attempts > 1 else 0.0)
        due = now + max(wait * (1.0 + JITTER * chance), min(posted.retry_after or 0.0, LONGEST_WAIT))
    return change(delivery, state=state, due=due, last_status=posted.status, last_error=posted.error)


class Deliveries:
    """Makes the callbacks that were planned. Everything is in the records: nothing is lost with this object.

    `where` says at which path the results of a job are had, for bodies that would be too large; `chance` gives numbers from 0
    to 1; `now` is seconds since 1970; `report` hears of every attempt; `drain` is the orderly stop.
    """

    def __init__(
        self,
        records: Records,
        files: Files,
        queue: Queue,
        poster: Poster,
        settings: CallbackSettings,
        where: Callable[[Job], str | None],
        now: Callable[[], float],
        chance: Callable[[], float],
        report: Callable[[Attempt], None],
        drain: Drain,
    ) -> None:
        self._records = records
        self._files = files
        self._queue = queue
        self._poster = poster
        self._longest = settings.longest
        self._retries = sorted(settings.retries)
        self._where = where
        self._now = now
        self._chance = chance
        self._report = report
        self._drain = drain
        self._destinations = Destinations(settings.concurrency)

    async def attempt(self, delivery_id: str) -> None:
        """Make an attempt, if it is due and there is room for it; else come again later. StorageError: try again."""
        async with self._records.begin() as tx:
            delivery = await tx.find_delivery(delivery_id)
            job = await tx.find_job(delivery.job) if delivery is not None else None
        if delivery is None or job is None or delivery.state != PENDING:
            return
        now, destination = self._now(), read_destination(delivery.url)
        # Whoever looks for lost tasks may have put it into the queue while the last attempt was under way.
        wait = max(0.0, delivery.due - now) or self._destinations.enter(destination, now)
        if wait:
            async with self._records.begin() as tx:
                await self._queue.put(tx, [Task(TaskKind.DELIVER, delivery.id, now + wait)])
            return
        status = None
        try:
            status = await self._post(delivery, job)
        finally:
            self._destinations.leave(destination, self._now(), status)

    async def _post(self, delivery: Delivery, job: Job) -> int | None:
        body = await self._read_body(job)
        # Counted before it is made: where the store takes nothing any more, nothing is sent either, again and again.
        async with self._records.begin() as tx:
            begun = await tx.change_delivery(delivery.id, attempts=delivery.attempts + 1)
        if begun is None:
            return None
        try:
            async with self._drain.until_cut():
                posted = await self._poster.post(begun.url, begun.id, begun.tenant, body)
        except Cut:
            await self._take_back(begun)
            return None
        after = judge(begun, posted, self._retries, self._now(), self._chance())
        async with self._records.begin() as tx:
            changes = {"state": after.state, "due": after.due, "last_status": posted.status, "last_error": posted.error}
            await tx.change_delivery(after.id, **changes)
            if after.state == PENDING:
                await self._queue.put(tx, [make_task(after)])
        self._report(Attempt(after, posted))
        return posted.status

    async def _take_back(self, begun: Delivery) -> None:
        """Have an attempt count as not made. It stays due, and the next start makes it."""
        async with self._records.begin() as tx:
            found = await tx.find_delivery(begun.id)
            if found is not None and found.attempts == begun.attempts:  # else somebody asked for it to begin anew
                await tx.change_delivery(begun.id, attempts=begun.attempts - 1)

    async def _read_body(self, job: Job) -> bytes:
        """The results, the same bytes each time; they are signed as a whole, so they are in memory as a whole."""
        if job.results is None or job.kind is JobKind.OPENAI:
            return spell_pointer(job, None)
        try:
            body = await self._files.read(job.results, 0, self._longest + 1)
        except NoSuchObject:
            return spell_pointer(job, None)
        return body if len(body) <= self._longest else spell_pointer(job, self._where(job))

    async def redeliver(self, key: str) -> Delivery | None:
        """Have a delivery made now, whatever became of it; `key` is its id or its job's. None if nothing is to be delivered."""
        async with self._records.begin() as tx:
            delivery = await self._find(tx, key)
            if delivery is None:
                return None
            again = await tx.change_delivery(delivery.id, state=PENDING, attempts=0, due=self._now())
            if again is not None:
                await self._queue.put(tx, [make_task(again)])
            return again

    async def _find(self, tx: Transaction, key: str) -> Delivery | None:
        """The delivery; made where a job that has ended wants one and has none."""
        found = await tx.find_delivery(key) or next(iter(await tx.list_deliveries(job_id=key)), None)
        if found is not None:
            return found
        job = await tx.find_job(key)
        planned = plan(job, self._now()) if job is not None and job.is_final else None
        if planned is not None:
            await tx.add_delivery(planned)
        return planned
