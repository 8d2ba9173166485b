from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.batch.job import Ending, Job, JobKind, OnInterrupt, State
from gateway.config.jobs import ClientSettings, QuotaSettings
from gateway.errors import Refusal
from gateway.jobs.clients import EVERYBODY, Client, Clients
from gateway.jobs.desk import Draft
from gateway.jobs.ports import Files, Page, Queue, Records, StorageError
from gateway.messages import Reason
from tests.support.line_jobs import House, Upstream, Wall, house, running
from tests.support.plain_lines import line

OTHER = Client("other", QuotaSettings())


def draft(**more: object) -> Draft:
    return Draft(**{"kind": JobKind.OPENAI, "spec": b"{}", "asker": b"", "seconds": 60.0, "input_file": "f", **more})  # type: ignore[arg-type]


async def refused(waiting: object) -> tuple[Reason, str]:
    with pytest.raises(Refusal) as caught:
        await waiting  # type: ignore[misc]
    return caught.value.reason, caught.value.detail


@pytest.mark.parametrize(("kind", "prefix"), [(JobKind.OPENAI, "batch_"), (JobKind.IVVY, ""), (JobKind.NATIVE, "job_")])
async def test_a_job_begins_as_it_was_drafted(tmp_path: Path, kind: JobKind, prefix: str) -> None:
    wall = Wall()
    async with house(tmp_path, Upstream(), now=wall, on_interrupt="fail") as at:
        job = await at.desk.submit(EVERYBODY, draft(kind=kind, callback_url="https://x"))
        assert job == Job(
            job.id,
            "everybody",
            kind,
            State.VALIDATING,
            wall.now,
            wall.now + 60,
            b"{}",
            b"",
            OnInterrupt.FAIL,
            "f",
            reached={State.VALIDATING: wall.now},
            callback_url="https://x",
        )
        assert job.id.startswith(prefix)
        assert len(job.id) == len(prefix) + 32
        assert await at.desk.find(EVERYBODY, kind, job.id) == job


async def test_lines_that_came_with_the_job_are_in_progress_at_once(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream(), chunk_lines=2) as at:
        job = await at.submit_checked([line("a"), line("b"), line("c")])
        assert (job.state, job.lines, job.chunks) == (State.IN_PROGRESS, 3, 2)
        async with running(at):
            ended = await at.ended(job.id)
            document = b"".join([piece async for piece in at.desk.results(ended)])
            assert document == b"[a 200\n,b 200\n,c 200\n]"
            assert await at.desk.results_size(ended) == len(document)


async def test_a_native_batch_is_one_chunk_with_its_body_as_it_came(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        job = await at.desk.submit(EVERYBODY, draft(kind=JobKind.NATIVE, input_file=None, lines=[b"{\n}\n"], total=7))
        assert (job.lines, job.chunks) == (7, 1)
        async with at.wiring.records.begin() as tx:
            chunk = await tx.lease(job.id, 0, "t", 0.0)
        assert chunk is not None
        assert await at.wiring.files.read(f"jobs/{job.id}/input", chunk.start, chunk.size) == b"{\n}\n"


async def test_what_is_anothers_is_not_found_whatever_is_asked(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        job = await at.desk.submit(EVERYBODY, draft())
        desk = at.desk
        for client, kind in ((OTHER, JobKind.OPENAI), (EVERYBODY, JobKind.IVVY)):
            for waiting in (
                desk.find(client, kind, job.id),
                desk.cancel(client, kind, job.id),
                desk.restart(client, kind, job.id),
                desk.redeliver(client, kind, job.id),
            ):
                assert (await refused(waiting))[0] is Reason.NOT_FOUND
            assert await desk.list(client, kind, Page(10)) == []


async def test_a_page_follows_an_id_whether_its_job_is_still_there_or_not(tmp_path: Path) -> None:
    """Ids sort by time, so nothing has to be looked up, and nobody learns whether there is such a job."""
    async with house(tmp_path, Upstream()) as at:
        made = [await at.desk.submit(EVERYBODY, draft()) for _ in range(2)]
        older, newer = sorted(made, key=lambda job: job.id)  # within a millisecond chance decides
        async with at.wiring.records.begin() as tx:
            await tx.remove_job(newer.id)
        after = await at.desk.list(EVERYBODY, JobKind.OPENAI, Page(10, newer.id))
        assert [job.id for job in after] == [older.id]
        for malformed in ("nothing", newer.id + "0", newer.id.removeprefix("batch_"), "batch_../" + "0" * 29):
            reason, _ = await refused(at.desk.list(EVERYBODY, JobKind.OPENAI, Page(10, malformed)))
            assert reason is Reason.NOT_FOUND


@pytest.mark.parametrize("quota", [QuotaSettings(jobs=1), QuotaSettings(lines=3)])
async def test_a_quota_is_told_with_what_is_used(tmp_path: Path, quota: QuotaSettings) -> None:
    client = Client("acme", quota)
    async with house(tmp_path, Upstream()) as at:
        await at.submit_checked([line("a"), line("b")], client)
        reason, detail = await refused(at.submit_checked([line("c"), line("d")], client))
        assert reason is Reason.QUOTA_EXCEEDED
        assert ("1 of 1" if quota.jobs else "2 of 3") in detail
        await at.submit_checked([line("e")], OTHER)


async def test_a_job_that_has_ended_is_not_in_the_quota(tmp_path: Path) -> None:
    client = Client("acme", QuotaSettings(jobs=1))
    async with house(tmp_path, Upstream()) as at, running(at):
        for _ in range(2):
            await at.ended((await at.submit_checked([line("a")], client)).id)


ENDS: Sequence[tuple[State, Ending | None, Reason | None]] = [
    (State.COMPLETED, None, Reason.CONFLICT),
    (State.FAILED, None, Reason.CONFLICT),
    (State.EXPIRED, Ending.EXPIRED, Reason.CONFLICT),
    (State.FINALIZING, None, Reason.CONFLICT),
    (State.IN_PROGRESS, Ending.EXPIRED, Reason.CONFLICT),
    (State.CANCELLING, Ending.CANCELLED, None),
    (State.CANCELLED, Ending.CANCELLED, None),
    (State.VALIDATING, None, None),
    (State.IN_PROGRESS, None, None),
]


@pytest.mark.parametrize(("state", "ending", "reason"), ENDS)
async def test_cancelling_in_each_state(tmp_path: Path, state: State, ending: Ending | None, reason: Reason | None) -> None:
    async with house(tmp_path, Upstream()) as at:
        job = Job("batch_1", "everybody", JobKind.OPENAI, state, 1.0, 2.0, b"{}", ending=ending)
        async with at.wiring.records.begin() as tx:
            await tx.add_job(job)
        if reason is not None:
            assert (await refused(at.desk.cancel(EVERYBODY, job.kind, job.id)))[0] is reason
            assert await at.job(job.id) == job
        else:
            for _ in range(2):
                cancelled = await at.desk.cancel(EVERYBODY, job.kind, job.id)
                assert cancelled.ending is Ending.CANCELLED
                assert cancelled.state in {State.CANCELLING, State.CANCELLED}


async def test_cancelling_twice_tells_the_first_time(tmp_path: Path) -> None:
    wall = Wall()
    async with house(tmp_path, Upstream(), now=wall) as at:
        job = await at.desk.submit(EVERYBODY, draft())
        first = await at.desk.cancel(EVERYBODY, job.kind, job.id)
        wall.now += 5
        assert await at.desk.cancel(EVERYBODY, job.kind, job.id) == first


async def test_a_clock_that_is_set_back_does_not_turn_the_times_of_a_job_round(tmp_path: Path) -> None:
    wall = Wall()
    async with house(tmp_path, Upstream(), now=wall) as at, running(at):
        job = await at.desk.submit(EVERYBODY, draft(input_file="none"))
        wall.now -= 86_400
        ended = await at.ended(job.id)
        times = list(ended.reached.values())
        assert times == sorted(times)


async def test_redelivering_takes_an_end_and_a_callback(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        job = await at.submit_checked([line("a")])
        assert (await refused(at.desk.redeliver(EVERYBODY, job.kind, job.id)))[0] is Reason.CONFLICT
        async with running(at):
            await at.ended(job.id)
        assert (await refused(at.desk.redeliver(EVERYBODY, job.kind, job.id)))[0] is Reason.CONFLICT


async def test_a_job_with_a_callback_plans_one_when_it_ends(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at, running(at):
        job = await at.submit_checked([line("a")], callback_url="https://example.com/x")
        await at.ended(job.id)
        async with at.wiring.records.begin() as tx:
            (delivery,) = await tx.list_deliveries(job.id)
        await at.reaches(job.id, lambda _: at.callbacks.attempted == [delivery.id])


class Broken:
    """Files that take nothing."""

    def __init__(self, files: Files, error: StorageError) -> None:
        self._error = error

    async def put(self, key: str, content: bytes) -> None:
        raise self._error


@pytest.mark.parametrize(("is_full", "reason"), [(True, Reason.STORAGE_FULL), (False, Reason.STORAGE_FAILED)])
async def test_a_store_that_does_not_work_is_told_without_its_words(tmp_path: Path, is_full: bool, reason: Reason) -> None:
    def wrap(records: Records, files: Files, queue: Queue) -> tuple[Records, Files, Queue]:
        return records, Broken(files, StorageError("/secret/path", is_full)), queue  # type: ignore[return-value]

    async with house(tmp_path, Upstream(), wrap=wrap) as at:
        found, detail = await refused(at.submit_checked([line("a")]))
        assert found is reason
        assert "secret" not in detail
        assert await at.desk.list(EVERYBODY, JobKind.IVVY, Page(10)) == []


async def test_restarting_puts_what_is_open_into_the_queue(tmp_path: Path) -> None:
    clients = Clients({"acme": ClientSettings()}, True)
    async with house(tmp_path, Upstream(), clients=clients) as at:
        job = await at.submit_checked([line("a")])
    async with house(tmp_path, Upstream(), clients=clients) as at:
        assert await queued(at) == 0
        assert await at.desk.restart(EVERYBODY, job.kind, job.id) == job
        assert await queued(at) == 2


async def queued(at: House) -> int:
    """Tasks that wait."""
    waiting = at.wiring.queue.waiting  # type: ignore[attr-defined]
    assert isinstance(waiting, int)
    return waiting
