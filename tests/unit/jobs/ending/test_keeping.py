"""What is removed when, what is put together at the end, and what is begun again at the start."""

from pathlib import Path

import pytest

from gateway.batch.job import Ending, Job, JobKind, State
from gateway.jobs.clients import EVERYBODY
from gateway.jobs.ending.expiry import expire
from gateway.jobs.ending.finalise import Finaliser
from gateway.jobs.ending.retention import Cleaning
from gateway.jobs.kind import Frame
from gateway.jobs.ports import Page, Task, TaskKind
from gateway.jobs.reconcile import reconcile
from gateway.messages import Response
from tests.support.line_jobs import House, Upstream, Wall, house, running
from tests.support.plain_lines import line

DAY = 86_400.0


async def keys(at: House, prefix: str) -> list[str]:
    return sorted([key.split("/")[2] if prefix == "jobs" else key async for key, _ in at.wiring.files.list(prefix)])


# ---- finalising ----


async def test_results_that_are_one_document_stand_in_the_order_of_the_lines(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.holding = True
    frame = Frame(b"<", b"|", b">")
    async with house(tmp_path, upstream, frame=frame, chunk_lines=2, flush={"results": 1}) as at, running(at):
        job = await at.submit_checked([line(n, f"/users/{n}") for n in range(4)])
        await upstream.arrived(4)
        upstream.held.reverse()
        upstream.let_go()
        ended = await at.ended(job.id)
        assert ended.results == f"jobs/{job.id}/results"
        assert await at.wiring.files.read(ended.results) == b"<0 200\n|1 200\n|2 200\n|3 200\n>"


async def test_finalising_twice_changes_nothing(tmp_path: Path) -> None:
    wall = Wall()
    async with house(tmp_path, Upstream(), now=wall) as at, running(at):
        ended = await at.ended((await at.submit([line("a")])).id)
        wall.now += 10
        await Finaliser(at.wiring).run(ended.id)
        assert await at.job(ended.id) == ended
        async with at.wiring.records.begin() as tx:
            files = await tx.list_files("everybody", "batch_output", Page(10))
        assert [file.id for file in files] == [ended.results]
        assert files[0].filename == f"{ended.id}_output.jsonl"


async def test_results_belong_to_who_asked_and_an_empty_file_is_none(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.answer = lambda request: Response(500, (), b"")
    async with house(tmp_path, upstream) as at, running(at):
        ended = await at.ended((await at.submit([line("a")])).id)
        assert ended.results is None
        assert ended.errors is not None
        file = await at.shelf.find(EVERYBODY, ended.errors)
        assert (file.purpose, file.size) == ("batch_output", 6)


async def test_a_job_is_not_finalised_while_a_chunk_of_it_is_open(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        job = await at.submit_checked([line("a")])
        await at.desk.cancel(EVERYBODY, job.kind, job.id)
        await Finaliser(at.wiring).run(job.id)
        assert (await at.job(job.id)).state is State.CANCELLING


# ---- expiry ----


@pytest.mark.parametrize("state", list(State))
async def test_expiry_in_each_state(tmp_path: Path, state: State) -> None:
    wall = Wall()
    async with house(tmp_path, Upstream(), now=wall) as at:
        job = Job("batch_1", "everybody", JobKind.OPENAI, state, 1.0, wall.now + 60, b"{}")
        async with at.wiring.records.begin() as tx:
            await tx.add_job(job)
        await expire(at.wiring, job.id)
        assert await at.job(job.id) == job
        wall.now += 60
        await expire(at.wiring, job.id)
        after = await at.job(job.id)
        match state:
            case State.VALIDATING:
                assert (after.state, after.ending) == (State.EXPIRED, Ending.EXPIRED)
            case State.IN_PROGRESS:
                assert (after.state, after.ending) == (State.IN_PROGRESS, Ending.EXPIRED)
            case _:
                assert after == job


# ---- retention ----


async def test_a_final_job_loses_what_it_needs_no_more_and_keeps_its_results(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at, running(at):
        ended = await at.ended((await at.submit_checked([line("a")])).id)
        assert {"input", "parts", "results"} <= set(await keys(at, "jobs"))
        await Cleaning(at.wiring).run(ended.id)
        assert await keys(at, "jobs") == ["results"]
        async with at.wiring.records.begin() as tx:
            assert await tx.parts(ended.id) == []


async def test_nothing_is_taken_from_a_job_that_runs_however_old_it_is(tmp_path: Path) -> None:
    wall = Wall()
    async with house(tmp_path, Upstream(), now=wall) as at:
        job = await at.submit([line("a")])
        checked = await at.submit_checked([line("b")])
        wall.now += 400 * DAY
        cleaning = Cleaning(at.wiring)
        for _ in range(2):
            await cleaning.run("")
            await cleaning.run(checked.id)
        assert await keys(at, "jobs") == ["input"]
        assert await keys(at, "files") == [f"files/{job.input_file}"]


async def test_files_and_jobs_go_when_their_time_is_over(tmp_path: Path) -> None:
    wall = Wall()
    async with house(tmp_path, Upstream(), now=wall) as at:
        async with running(at):
            ended = await at.ended((await at.submit([line("a")])).id)
            checked = await at.ended((await at.submit_checked([line("a")])).id)
        assert checked.keep_until == wall.now + 2 * DAY
        cleaning = Cleaning(at.wiring)
        wall.now += 2 * DAY - 1
        await cleaning.run("")
        assert await at.job(checked.id) == checked
        wall.now += 1
        await cleaning.run("")
        async with at.wiring.records.begin() as tx:
            assert await tx.find_job(checked.id) is None
        assert await keys(at, "jobs") == []
        assert len(await keys(at, "files")) == 2
        wall.now += 28 * DAY
        await cleaning.run("")
        async with at.wiring.records.begin() as tx:
            assert await tx.find_job(ended.id) is None
        assert await keys(at, "files") == []


async def test_an_object_without_a_record_goes_after_a_day_and_not_at_the_first_sight(tmp_path: Path) -> None:
    wall = Wall()
    async with house(tmp_path, Upstream(), now=wall) as at:
        for key in ("jobs/batch_gone/input", "files/file-gone"):
            await at.wiring.files.put(key, b"x")
        cleaning = Cleaning(at.wiring)
        for _ in range(3):
            await cleaning.run("")
        wall.now += DAY + 60
        await cleaning.run("")
        assert await keys(at, "files") == ["files/file-gone"]
        await cleaning.run("")
        assert await keys(at, "files") == await keys(at, "jobs") == []


# ---- reconciling ----


async def tasks(at: House) -> set[Task]:
    return set(at.wiring.queue._pending.values())  # type: ignore[attr-defined]


async def test_what_is_unfinished_is_begun_again_and_no_chunk_that_somebody_works_on(tmp_path: Path) -> None:
    wall = Wall()
    async with house(tmp_path, Upstream(), now=wall, chunk_lines=1) as at:
        validating = await at.submit([line("a")])
        two = await at.submit_checked([line("a"), line("b")])
        async with at.wiring.records.begin() as tx:
            await tx.lease(two.id, 0, "busy", wall.now)
    wall.now += 30
    for before, chunks in ((wall.now - 60, {1}), (float("inf"), {0, 1})):
        async with house(tmp_path, Upstream(), now=wall, chunk_lines=1) as at:
            await reconcile(at.wiring, before)
            assert await tasks(at) == {
                Task(TaskKind.CLEAN, "", wall.now),
                Task(TaskKind.INTAKE, validating.id),
                Task(TaskKind.EXPIRE, validating.id, validating.expires_at),
                Task(TaskKind.EXPIRE, two.id, two.expires_at),
                *[Task(TaskKind.CHUNK, f"{two.id}/{number}") for number in chunks],
            }


async def test_more_jobs_than_are_read_at_one_time_are_all_begun_again(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        for number in range(230):
            job = Job(f"batch_{number:032x}", "t", JobKind.OPENAI, State.FINALIZING, 1.0, 2.0, b"{}")
            async with at.wiring.records.begin() as tx:
                await tx.add_job(job)
        await reconcile(at.wiring, float("inf"))
        assert len([task for task in await tasks(at) if task.kind is TaskKind.FINALISE]) == 230
