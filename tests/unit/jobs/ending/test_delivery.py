import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.batch.job import Delivery, Job, JobKind, LineProblem, State
from gateway.config.jobs import CallbackSettings
from gateway.jobs.drain import Drain
from gateway.jobs.ending.delivery import Attempt, Deliveries, Posted, Poster, judge, plan, spell_pointer
from gateway.jobs.ports import Handle, Records, Stop, StorageError, Task, TaskKind, Transaction
from gateway.jsontext import change, load
from gateway.storage.opening import Storage, open_storage
from gateway.storage.sql_records import SqlRecords
from gateway.storage.sql_transaction import SqlTransaction
from tests.support.batches import PATIENCE
from tests.support.clock import Clock

URL = "https://hooks.example.com/batch"
JOB_ID = "0190" + "0" * 28
ID = f"msg_{JOB_ID}"
RESULTS = b'{"asyncId":"' + JOB_ID.encode() + b'","results":[1,2,3]}'
JOB = Job(
    id=JOB_ID,
    tenant="shop",
    kind=JobKind.IVVY,
    state=State.COMPLETED,
    created_at=900.0,
    expires_at=9000.0,
    spec=b"{}",
    lines=3,
    succeeded=2,
    failed=1,
    results=f"jobs/{JOB_ID}/results",
    callback_url=URL,
)
SETTINGS = CallbackSettings()
DELIVERY = Delivery(ID, JOB_ID, "shop", URL, due=1000.0, created_at=1000.0)


class ListedQueue:
    """Keeps the tasks, for the test to look at."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    async def put(self, tx: Transaction, tasks: Sequence[Task]) -> None:
        self.tasks += tasks

    async def run(self, handle: Handle, stop: Stop) -> None:
        raise NotImplementedError


class ScriptedPoster:
    """Answers as the test says, and remembers what it was given."""

    def __init__(self) -> None:
        self.answers: list[Posted | BaseException] = []
        self.posts: list[tuple[str, str, str, bytes]] = []

    async def post(self, url: str, webhook_id: str, tenant: str, body: bytes) -> Posted:
        self.posts.append((url, webhook_id, tenant, body))
        answer = self.answers.pop(0) if self.answers else Posted(200)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class HangingPoster:
    """Tells when it has begun, and never ends."""

    def __init__(self) -> None:
        self.began = asyncio.Event()

    async def post(self, url: str, webhook_id: str, tenant: str, body: bytes) -> Posted:
        self.began.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody lets it go on")


class FullTransaction(SqlTransaction):
    """One of a store that can be read and has no room left."""

    async def change_delivery(self, delivery_id: str, **changes: object) -> Delivery | None:
        raise StorageError("no room", is_full=True)


class FullRecords:
    """Records that only have such transactions."""

    def __init__(self, records: SqlRecords) -> None:
        self._records = records

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        async with self._records.begin() as tx:
            tx.__class__ = FullTransaction
            yield tx


class Desk:
    """Deliveries on a real store, with everything round it scripted."""

    def __init__(
        self,
        storage: Storage,
        settings: CallbackSettings = SETTINGS,
        records: Records | None = None,
        poster: Poster | None = None,
    ) -> None:
        self.storage = storage
        self.queue = ListedQueue()
        self.poster = ScriptedPoster()
        self.clock = Clock(1000.0)
        self.attempts: list[Attempt] = []
        self.drain = Drain()
        self.deliveries = Deliveries(
            records or storage.records,
            storage.files,
            self.queue,
            poster or self.poster,
            settings,
            where=lambda job: f"/jobs/{job.id}/results",
            now=self.clock,
            chance=lambda: 0.5,
            report=self.attempts.append,
            drain=self.drain,
        )

    async def add(self, job: Job = JOB, delivery: Delivery | None = DELIVERY) -> None:
        if job.results is not None:
            await self.storage.files.put(job.results, RESULTS)
        async with self.storage.records.begin() as tx:
            await tx.add_job(job)
            if delivery is not None:
                await tx.add_delivery(delivery)

    async def attempt(self, *answers: Posted | BaseException) -> Delivery:
        self.poster.answers = list(answers)
        await self.deliveries.attempt(ID)
        return await self.look()

    async def look(self) -> Delivery:
        async with self.storage.records.begin() as tx:
            found = await tx.find_delivery(ID)
        assert found is not None
        return found


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    storage = await open_storage(str(tmp_path), os.urandom)
    yield storage
    await storage.close()


@pytest.fixture
async def desk(storage: Storage) -> Desk:
    desk = Desk(storage)
    await desk.add()
    return desk


# ---- the plan ----


def test_a_job_with_a_callback_url_is_delivered_under_an_id_that_never_changes() -> None:
    assert plan(JOB, 1000.0) == DELIVERY


def test_a_job_without_one_is_not() -> None:
    assert plan(change(JOB, callback_url=None), 1000.0) is None


# ---- what follows from an answer ----


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_only_2xx_is_delivered(status: int) -> None:
    after = judge(change(DELIVERY, attempts=1), Posted(status), SETTINGS.retries, 1000.0, 0.0)
    assert after == change(DELIVERY, attempts=1, state="delivered", last_status=status)


@pytest.mark.parametrize("status", [100, 199, 300, 301, 307, 400, 404, 429, 500, 503, None])
def test_anything_else_is_tried_again(status: int | None) -> None:
    after = judge(change(DELIVERY, attempts=1), Posted(status, "no"), SETTINGS.retries, 1000.0, 0.0)
    assert after == change(DELIVERY, attempts=1, due=1005.0, last_status=status, last_error="no")


def test_410_ends_it_at_once() -> None:
    after = judge(change(DELIVERY, attempts=1), Posted(410, "gone"), SETTINGS.retries, 1000.0, 0.0)
    assert after == change(DELIVERY, attempts=1, state="dead", last_status=410, last_error="gone")


@pytest.mark.parametrize(("chance", "stretch"), [(0.0, 1.0), (1.0, 1.1)])
def test_attempts_follow_the_schedule_from_the_first_with_a_tenth_of_chance(chance: float, stretch: float) -> None:
    delivery, due = DELIVERY, []
    while delivery.state == "pending":
        delivery = judge(change(delivery, attempts=delivery.attempts + 1), Posted(500), SETTINGS.retries, delivery.due, chance)
        due.append(delivery.due - 1000.0)
    assert due[:-1] == pytest.approx([stretch * seconds for seconds in SETTINGS.retries])
    assert (delivery.state, delivery.attempts) == ("dead", 10)


def test_a_gateway_that_was_down_for_long_does_not_hurry_through_what_is_left() -> None:
    after = judge(change(DELIVERY, attempts=2), Posted(500), SETTINGS.retries, 500_000.0, 0.0)
    assert after.due == 500_000.0 + 300.0 - 5.0


@pytest.mark.parametrize(("asked", "waits"), [(2.0, 5.0), (120.0, 120.0), (1e9, 86_400.0)])
def test_retry_after_is_honoured_within_a_day(asked: float, waits: float) -> None:
    after = judge(change(DELIVERY, attempts=1), Posted(503, "", asked), SETTINGS.retries, 1000.0, 0.0)
    assert after.due == 1000.0 + waits


def test_without_a_schedule_there_is_one_attempt() -> None:
    assert judge(change(DELIVERY, attempts=1), Posted(500), (), 1000.0, 0.0).state == "dead"


# ---- the body ----


@pytest.mark.parametrize(
    ("job", "where", "body"),
    [
        (JOB, "/api", {"asyncId": JOB_ID, "resultsUrl": "/api"}),
        (change(JOB, results=None), None, {"asyncId": JOB_ID}),
        (
            change(JOB, kind=JobKind.NATIVE),
            "/jobs/1/results",
            {
                "id": JOB_ID,
                "state": "completed",
                "counts": {"total": 3, "completed": 2, "failed": 1},
                "resultsUrl": "/jobs/1/results",
            },
        ),
        (
            change(JOB, kind=JobKind.OPENAI, state=State.FAILED, problems=(LineProblem("invalid", "no JSON", None, 4),)),
            None,
            {
                "id": JOB_ID,
                "state": "failed",
                "counts": {"total": 3, "completed": 2, "failed": 1},
                "problems": [{"message": "no JSON", "line": 4}],
            },
        ),
    ],
    ids=["ivvy", "ivvy without results", "native", "failed"],
)
def test_a_body_without_results_says_what_there_is(job: Job, where: str | None, body: object) -> None:
    assert load(spell_pointer(job, where)) == body


async def test_the_results_are_the_body_the_same_in_each_attempt(desk: Desk) -> None:
    await desk.attempt(Posted(500))
    desk.clock.now = 2000.0
    await desk.attempt(Posted(200))
    assert desk.poster.posts == [(URL, ID, "shop", RESULTS)] * 2


@pytest.mark.parametrize(("longest", "whole"), [(len(RESULTS), True), (len(RESULTS) - 1, False)])
async def test_results_that_are_too_large_are_pointed_at(storage: Storage, longest: int, whole: bool) -> None:
    desk = Desk(storage, CallbackSettings(longest=longest))
    await desk.add()
    await desk.attempt()
    pointer = spell_pointer(JOB, f"/jobs/{JOB_ID}/results")
    assert desk.poster.posts == [(URL, ID, "shop", RESULTS if whole else pointer)]


async def test_a_job_that_has_no_results_says_so(storage: Storage) -> None:
    desk = Desk(storage)
    await desk.add(change(JOB, results=None))
    await desk.attempt()
    assert desk.poster.posts == [(URL, ID, "shop", spell_pointer(change(JOB, results=None), None))]


# ---- attempts ----


async def test_a_delivery_that_was_taken_is_over(desk: Desk) -> None:
    after = await desk.attempt(Posted(202))
    assert after == change(DELIVERY, state="delivered", attempts=1, last_status=202)
    assert desk.attempts == [Attempt(after, Posted(202))]
    assert desk.queue.tasks == []


async def test_a_failed_attempt_is_put_into_the_queue_again(desk: Desk) -> None:
    after = await desk.attempt(Posted(500, "the receiver answered 500"))
    assert after == change(DELIVERY, attempts=1, due=1005.25, last_status=500, last_error="the receiver answered 500")
    assert desk.queue.tasks == [Task(TaskKind.DELIVER, ID, 1005.25)]


async def test_the_last_failed_one_leaves_it_dead(storage: Storage) -> None:
    desk = Desk(storage)
    await desk.add(delivery=change(DELIVERY, attempts=9))
    after = await desk.attempt(Posted(None, "the receiver did not answer in time"))
    assert (after.state, after.attempts, desk.queue.tasks) == ("dead", 10, [])


async def test_what_is_over_is_not_attempted_again(desk: Desk) -> None:
    await desk.attempt(Posted(200))
    await desk.attempt(Posted(200))
    await desk.deliveries.attempt("msg_nobody's")
    assert len(desk.poster.posts) == 1


async def test_an_attempt_that_was_cut_short_is_made_again_under_the_same_id(desk: Desk) -> None:
    with pytest.raises(KeyboardInterrupt):
        await desk.attempt(KeyboardInterrupt())
    assert (await desk.look()).state == "pending"
    again = Desk(desk.storage)
    assert (await again.attempt(Posted(200))).state == "delivered"
    assert desk.poster.posts == again.poster.posts


@pytest.mark.parametrize("is_begun_anew", [False, True], ids=["alone", "somebody asked for it meanwhile"])
async def test_an_attempt_that_the_stop_cuts_short_counts_as_not_made(storage: Storage, is_begun_anew: bool) -> None:
    poster = HangingPoster()
    desk = Desk(storage, poster=poster)
    pending = change(DELIVERY, attempts=3, last_status=500)
    await desk.add(delivery=pending)
    attempt = asyncio.create_task(desk.deliveries.attempt(ID))
    await poster.began.wait()
    if is_begun_anew:
        pending = await desk.deliveries.redeliver(ID) or pending
    desk.drain.begin()
    assert (await desk.look()).attempts == (0 if is_begun_anew else 4)
    desk.drain.cut()
    await asyncio.sleep(0)
    desk.drain.cut()  # as the end of the grace may come while a second signal is followed
    await asyncio.wait_for(attempt, PATIENCE)
    assert await desk.look() == pending
    assert desk.attempts == []


async def test_no_attempt_begins_when_the_time_of_the_stop_is_over(storage: Storage) -> None:
    desk = Desk(storage, poster=HangingPoster())
    await desk.add()
    desk.drain.cut()
    await asyncio.wait_for(desk.deliveries.attempt(ID), PATIENCE)
    assert await desk.look() == DELIVERY


async def test_an_attempt_that_is_not_due_waits_for_its_time(desk: Desk) -> None:
    await desk.attempt(Posted(500))
    desk.clock.now = 1001.0
    await desk.attempt()
    assert len(desk.poster.posts) == 1
    assert desk.queue.tasks == [Task(TaskKind.DELIVER, ID, 1005.25)] * 2


async def test_nothing_is_sent_while_the_store_takes_nothing(storage: Storage) -> None:
    desk = Desk(storage, records=FullRecords(storage.records))
    await desk.add()
    with pytest.raises(StorageError):
        await desk.attempt()
    assert desk.poster.posts == []


async def test_a_receiver_that_has_too_much_is_left_alone_for_a_while(desk: Desk) -> None:
    await desk.attempt(Posted(503))
    assert (await desk.deliveries.redeliver(ID)) is not None
    await desk.attempt()
    assert len(desk.poster.posts) == 1
    assert desk.queue.tasks[-1] == Task(TaskKind.DELIVER, ID, 1005.0)
    assert (await desk.look()).attempts == 0


async def test_room_is_given_back_by_an_attempt_that_broke(desk: Desk) -> None:
    for _ in range(SETTINGS.concurrency + 1):
        with pytest.raises(KeyboardInterrupt):
            await desk.attempt(KeyboardInterrupt())
    assert len(desk.poster.posts) == SETTINGS.concurrency + 1


# ---- again ----


@pytest.mark.parametrize("state", ["dead", "delivered", "pending"])
@pytest.mark.parametrize("key", [ID, JOB_ID])
async def test_a_delivery_is_made_again_when_somebody_asks(storage: Storage, state: str, key: str) -> None:
    desk = Desk(storage)
    await desk.add(delivery=change(DELIVERY, state=state, attempts=10, due=999_999.0))
    desk.clock.now = 5000.0
    again = await desk.deliveries.redeliver(key)
    assert again == change(DELIVERY, state="pending", attempts=0, due=5000.0)
    assert desk.queue.tasks == [Task(TaskKind.DELIVER, ID, 5000.0)]
    assert (await desk.attempt(Posted(200))).state == "delivered"
    assert desk.poster.posts == [(URL, ID, "shop", RESULTS)]


async def test_a_job_that_has_ended_gets_the_delivery_it_lacks(storage: Storage) -> None:
    desk = Desk(storage)
    await desk.add(delivery=None)
    assert await desk.deliveries.redeliver(JOB_ID) == DELIVERY


@pytest.mark.parametrize(
    "job", [change(JOB, state=State.IN_PROGRESS), change(JOB, callback_url=None)], ids=["has not ended", "wants none"]
)
async def test_there_is_not_always_something_to_deliver(storage: Storage, job: Job) -> None:
    desk = Desk(storage)
    await desk.add(job, delivery=None)
    assert await desk.deliveries.redeliver(JOB_ID) is None
    assert await desk.deliveries.redeliver("nobody's") is None
    assert desk.queue.tasks == []
