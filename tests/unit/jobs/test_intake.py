from pathlib import Path
from typing import Any

import pytest

from gateway.batch.job import Job, JobKind, LineProblem, State
from gateway.config.jobs import ClientSettings, QuotaSettings
from gateway.jobs.clients import EVERYBODY, Clients
from gateway.jobs.desk import Draft
from gateway.jobs.intake import MOST_PROBLEMS, Problems
from tests.support.line_jobs import Upstream, house, running
from tests.support.plain_lines import line


async def taken_in(tmp_path: Path, upstream: Upstream, lines: list[bytes], **settings: Any) -> Job:
    """A job of these lines, once it is final."""
    async with house(tmp_path, upstream, **settings) as at, running(at):
        return await at.ended((await at.submit(lines)).id)


async def test_every_bad_line_is_told_and_nothing_is_sent(tmp_path: Path) -> None:
    upstream = Upstream()
    failed = await taken_in(tmp_path, upstream, [line("a"), b"{", b"", line("b"), b"[1,"])
    assert failed.state is State.FAILED
    assert failed.problems == (
        LineProblem("invalid_json_line", "no JSON", None, 2),
        LineProblem("invalid_json_line", "no JSON", None, 5),
    )
    assert (failed.results, failed.errors, failed.asker, upstream.requests) == (None, None, b"", [])
    assert list(failed.reached) == [State.VALIDATING, State.FAILED]


async def test_a_line_that_is_too_long_is_one_problem(tmp_path: Path) -> None:
    failed = await taken_in(tmp_path, Upstream(), [line("a"), b'"' + b"x" * 2000 + b'"', line("b")], line="1KiB")
    assert failed.problems == (LineProblem("line_too_long", "the line is longer than 1024 bytes", None, 2),)


async def test_a_file_without_lines_fails(tmp_path: Path) -> None:
    assert (await taken_in(tmp_path, Upstream(), [b"", b" ", b"\r"])).problems == (LineProblem("empty_file", "no lines"),)


async def test_bom_crlf_blank_lines_and_a_missing_last_line_end_are_tolerated(tmp_path: Path) -> None:
    lines = [b"\xef\xbb\xbf" + line("a") + b"\r", b"", line("b") + b"\r", b"\r", line("c")]
    async with house(tmp_path, Upstream(), chunk_lines=2) as at, running(at):
        ended = await at.ended((await at.submit(lines)).id)
        assert await at.records(ended) == ["a 200", "b 200", "c 200"]
        assert (ended.lines, ended.chunks) == (3, 2)


async def test_a_file_that_is_not_there_fails_the_job(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at, running(at):
        job = await at.desk.submit(EVERYBODY, Draft(JobKind.OPENAI, b"{}", b"", 60.0, input_file="file-none"))
        assert job.state is State.VALIDATING
        failed = await at.ended(job.id)
        assert failed.state is State.FAILED
        assert failed.problems == (LineProblem("invalid_request", "there is no file file-none", "file_id"),)


async def test_lines_beyond_the_limit_are_counted_and_not_checked(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream(), lines=2) as at:
        checker = Counting()
        at.wiring.formats[JobKind.OPENAI].checker = lambda job: checker  # type: ignore[method-assign]
        async with running(at):
            failed = await at.ended((await at.submit([line(n) for n in range(5)])).id)
    assert (checker.checked, failed.problems) == (2, (LineProblem("too_many", "5"),))


class Counting:
    """Counts what it checks."""

    def __init__(self) -> None:
        self.checked = 0

    def check(self, position: int, content: bytes) -> list[LineProblem]:
        self.checked += 1
        return []

    def finish(self, lines: int) -> list[LineProblem]:
        return [LineProblem("too_many", str(lines))]


def test_problems_are_told_one_by_one_up_to_a_limit() -> None:
    problems = Problems()
    for number in range(MOST_PROBLEMS + 7):
        problems.add([LineProblem("bad", "why", None, number)])
    told = problems.all()
    assert len(told) == MOST_PROBLEMS + 1
    assert told[-1] == LineProblem("bad", "and 7 more problems")


@pytest.mark.parametrize(("most", "state"), [(3, State.COMPLETED), (2, State.FAILED)])
async def test_lines_count_against_the_quota(tmp_path: Path, most: int, state: State) -> None:
    clients = Clients({"acme": ClientSettings(quota=QuotaSettings(lines=most))}, True)
    async with house(tmp_path, Upstream(), clients=clients) as at, running(at):
        ended = await at.ended((await at.submit([line(n) for n in range(3)], clients.by_name["acme"])).id)
        assert ended.state is state
        assert [problem.code for problem in ended.problems] == ["quota_exceeded"] * (state is State.FAILED)


async def test_a_job_cancelled_while_it_is_taken_in_stays_cancelled(tmp_path: Path) -> None:
    upstream = Upstream()
    async with house(tmp_path, upstream) as at:
        job = await at.submit([line("a")])
        assert (await at.desk.cancel(EVERYBODY, job.kind, job.id)).state is State.CANCELLING
        async with running(at):
            ended = await at.ended(job.id)
    assert (ended.state, ended.results, ended.errors, upstream.requests) == (State.CANCELLED, None, None, [])
