"""How the engine runs jobs of the ivvy dialect."""

import json

import pytest

from gateway.batch.catalog import Catalog
from gateway.batch.content import read_content
from gateway.batch.job import Job, JobKind, Series, State
from gateway.batch.results import Result
from gateway.errors import Refusal
from gateway.jobs.kind import Frame, Line
from gateway.messages import Failure, Reason
from gateway.places.ivvy_lines import IvvyLines
from tests.support.batches import ok

JOB = Job("0" * 32, "t", JobKind.IVVY, State.IN_PROGRESS, 0.0, 1.0, b"{}")
LINE = Line(3, b'{"namespace":"event","action":"get","params":{"id":1.0}}')


def test_jobs_have_been_checked_when_they_were_taken() -> None:
    lines = IvvyLines(None)
    assert (lines.check_input(JOB, None), lines.checker(JOB), lines.keep(JOB)) == ([], None, None)


def test_a_line_is_sent_as_it_says() -> None:
    operation = IvvyLines(None).read(JOB, LINE)
    assert (operation.pointer, operation.path) == ("/jobs/3", "/api/1.0/event?action=get")


def test_a_line_that_the_catalog_has_no_longer_is_refused() -> None:
    with pytest.raises(Refusal):
        IvvyLines(Catalog({})).read(JOB, LINE)


@pytest.mark.parametrize(("status", "counted"), [(200, True), (404, False)])
def test_an_entry_counts_as_what_it_is(status: int, counted: bool) -> None:
    lines = IvvyLines(None)
    outcome = ok({"errorCode": 404} if status == 404 else {"id": 2}, status)
    spelled = lines.spell(JOB, LINE, Result(lines.read(JOB, LINE), "a", outcome, read_content(outcome)), "request-1")
    assert (spelled.series, spelled.counted) == (Series.RESULTS, counted)
    assert json.loads(spelled.content)["request"] == {"id": 1.0}


@pytest.mark.parametrize(
    ("reason", "counted"),
    [
        (Reason.JOB_CANCELLED, None),
        (Reason.JOB_EXPIRED, None),
        (Reason.JOB_ABANDONED, False),
        (Reason.INTERRUPTED, False),
        (Reason.PATH_NOT_ALLOWED, False),
    ],
)
def test_what_was_not_sent_keeps_its_slot(reason: Reason, counted: bool | None) -> None:
    spelled = IvvyLines(None).spell_unsent(JOB, LINE, Failure(reason, "why"))
    assert spelled.counted is counted
    assert json.loads(spelled.content)["response"]["errorCode"] >= 400


def test_results_are_one_document() -> None:
    frame = IvvyLines(None).frame(JOB)
    assert frame == Frame(b'{"asyncId":"' + b"0" * 32 + b'","results":[', b",", b"]}")
