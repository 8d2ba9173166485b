"""How jobs are drawn."""

from typing import Any

import pytest

from gateway.commands.jobs.drawing import draw_bar, draw_callbacks, draw_job, draw_jobs, draw_progress, spell_age
from gateway.commands.screen import Screen, columns_of

NOW = "2026-11-23T08:10:00.000Z"


def job(**more: Any) -> dict[str, Any]:
    return {
        "id": "job_01a20770912878ecba3d44732bfe6d91",
        "state": "in_progress",
        "counts": {"total": 200, "succeeded": 98, "failed": 2},
        "createdAt": "2026-11-23T08:06:00.000Z",
        "expiresAt": "2026-11-24T08:06:00.000Z",
        "kind": "native",
        "tenant": "acme",
        "hasResults": False,
        "hasErrors": False,
        "callbacks": [],
        "now": NOW,
        **more,
    }


def test_a_wide_screen_has_a_job_on_a_line() -> None:
    drawn = draw_jobs(
        {"jobs": [job(), job(tenant="b", counts={"total": 1, "succeeded": 0, "failed": 0})], "now": NOW}, Screen(120)
    )
    assert drawn == [
        "ID                                    STATE        PROGRESS      LINES    FAILED  AGE    TENANT  KIND",
        "job_01a20770912878ecba3d44732bfe6d91  in_progress  █████▓░░░░░░  100/200  2       4 min  acme    native",
        "job_01a20770912878ecba3d44732bfe6d91  in_progress  ░░░░░░░░░░░░  0/1              4 min  b       native",
    ]


def test_a_narrow_screen_has_it_on_two_and_cuts_no_id() -> None:
    assert draw_jobs({"jobs": [job()], "now": NOW}, Screen(60, unicode=False)) == [
        "job_01a20770912878ecba3d44732bfe6d91  in_progress",
        "  #####x......  100/200, 2 failed, 4 min, acme, native",
    ]


def test_colours_do_not_move_columns() -> None:
    jobs = {"jobs": [job(), job(state="completed")], "now": NOW}
    plain, painted = draw_jobs(jobs, Screen(120)), draw_jobs(jobs, Screen(120, colour=True))
    assert "\x1b[" in "".join(painted)
    assert [_strip(line) for line in painted] == plain


def _strip(line: str) -> str:
    while "\x1b[" in line:
        before, _, after = line.partition("\x1b[")
        line = before + after.partition("m")[2]
    return line


def test_no_jobs_are_told_so() -> None:
    assert draw_jobs({"jobs": [], "now": NOW}, Screen()) == ["no jobs"]
    assert draw_callbacks({"callbacks": [], "now": NOW}, Screen()) == ["no callbacks"]


@pytest.mark.parametrize(
    ("succeeded", "failed", "bar"),
    [
        (0, 0, ".........."),
        (1, 0, ".........."),
        (999, 0, "#########."),
        (1000, 0, "##########"),
        (0, 1, "x........."),
        (998, 1, "########x."),
        (999, 1, "#########x"),
        (0, 1000, "xxxxxxxxxx"),
    ],
)
def test_a_bar_is_full_only_at_the_end_and_hides_no_failure(succeeded: int, failed: int, bar: str) -> None:
    counts = {"total": 1000, "succeeded": succeeded, "failed": failed}
    assert draw_bar(counts, 10, Screen(unicode=False)) == bar


@pytest.mark.parametrize("width", [24, 40, 80, 200])
def test_a_line_of_progress_fits_the_screen(width: int) -> None:
    assert columns_of(draw_progress(job(), Screen(width))) <= max(width, len("in_progress  100 of 200, 2 failed"))


def test_one_job_says_what_went_wrong_and_what_to_do() -> None:
    callback = {
        "id": "msg_1",
        "tenant": "acme",
        "url": "https://example.org/done",
        "state": "dead",
        "attempts": 10,
        "lastStatus": 500,
        "lastError": "",
        "createdAt": NOW,
    }
    found = draw_job(
        job(
            state="failed",
            endedAt="2026-11-23T08:09:50.000Z",
            keptUntil="2026-11-25T08:09:50.000Z",
            errors=[{"pointer": "/requests/1", "reason": "unknown-upstream", "detail": "no \x1b[2Jroute"}],
            hasErrors=True,
            callbacks=[callback],
        ),
        Screen(),
    )
    assert found[0] == "job_01a20770912878ecba3d44732bfe6d91  native, acme"
    assert found[3:] == [
        "created     2026-11-23 08:06:00 UTC, 4 min ago",
        "ended       2026-11-23 08:09:50 UTC, 10 s ago",
        "kept until  2026-11-25 08:09:50 UTC",
        "callback    https://example.org/done  dead after 10 attempts: answered 500",
        "/requests/1: unknown-upstream: no ?[2Jroute",
        "",
        "errors:   gateway jobs results job_01a20770912878ecba3d44732bfe6d91 --errors",
        "call back again:  gateway jobs redeliver job_01a20770912878ecba3d44732bfe6d91",
    ]


@pytest.mark.parametrize(("seconds", "spelled"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")])
def test_ages_have_the_largest_unit(seconds: float, spelled: str) -> None:
    assert spell_age(seconds) == spelled
