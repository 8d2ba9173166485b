"""Pages of results, and what asks for a job."""

from collections.abc import AsyncIterator

import pytest

from gateway.batch.job import Ending, Job, JobKind, LineProblem, State
from gateway.dialects.native_jobs import encode_event, encode_job, encode_jobs, prefers_async, read_index, read_page
from gateway.errors import Refusal
from gateway.jsontext import change, load
from gateway.messages import Reason
from gateway.places.jobs import check_results, take_entries

DOCUMENT = b'{"index":0}\n{"index":1}\n{"index":2}\n{"summary":{}}\n'
JOB = Job("job_1", "acme", JobKind.NATIVE, State.IN_PROGRESS, 1_800_000_000.0, 1_800_086_400.5, b"{}", lines=3, succeeded=1)


async def cut(document: bytes, size: int) -> AsyncIterator[bytes]:
    for begin in range(0, len(document), size):
        yield document[begin : begin + size]


@pytest.mark.parametrize("size", [1, 7, 12, 13, 1000])
@pytest.mark.parametrize(
    ("first", "most", "taken", "more"),
    [
        (0, 3, [0, 1, 2], False),
        (0, 2, [0, 1], True),
        (2, 2, [2], False),
        (1, 1, [1], True),
        (3, 5, [], False),
        (9, 5, [], False),
    ],
)
async def test_a_page_is_so_many_entries_and_never_the_summary(
    size: int, first: int, most: int, taken: list[int], more: bool
) -> None:
    found = await take_entries(cut(DOCUMENT, size), first, most)
    assert found == ([b'{"index":%d}' % index for index in taken], more)


@pytest.mark.parametrize(
    ("prefer", "wanted"),
    [
        ("respond-async", True),
        ("Respond-Async, wait=10", True),
        ("wait=10,respond-async;foo=bar", True),
        ('return=minimal; foo="a, b", respond-async', True),
        ("", False),
        ("wait=10", False),
        ('foo="a, respond-async"', False),
        ('foo="a\\", respond-async', False),
        ("respond-asynchronously", False),
    ],
)
def test_a_preference_is_read_as_rfc_7240_has_it(prefer: str, wanted: bool) -> None:
    assert prefers_async(prefer) is wanted


def test_a_job_on_its_way_says_what_it_has_and_where_more_is() -> None:
    assert load(encode_job(JOB)) == {
        "id": "job_1",
        "state": "in_progress",
        "counts": {"total": 3, "succeeded": 1, "failed": 0},
        "createdAt": "2027-01-15T08:00:00.000Z",
        "expiresAt": "2027-01-16T08:00:00.500Z",
        "links": {"self": "/jobs/job_1", "events": "/jobs/job_1/events"},
    }
    assert encode_event(JOB) == b"event: progress\ndata: " + encode_job(JOB) + b"\n\n"


def test_an_ended_job_says_when_and_why() -> None:
    failed = change(
        JOB,
        state=State.FAILED,
        ending=Ending.CANCELLED,
        reached={State.IN_PROGRESS: 1_800_000_001.0, State.FAILED: 1_800_000_002.0},
        problems=(LineProblem("unknown-upstream", "no route", "/requests/0/path"),),
        keep_until=1_800_000_003.0,
    )
    found = load(encode_job(failed))
    assert (found["startedAt"], found["endedAt"]) == ("2027-01-15T08:00:01.000Z", "2027-01-15T08:00:02.000Z")
    assert (found["keptUntil"], found["cancelRequested"]) == ("2027-01-15T08:00:03.000Z", True)
    assert found["errors"] == [{"pointer": "/requests/0/path", "detail": "no route", "reason": "unknown-upstream"}]
    assert encode_event(failed).startswith(b"event: end\n")


def test_a_page_of_jobs_says_where_the_next_one_is() -> None:
    assert load(encode_jobs([JOB], 1, True))["next"] == "/jobs?limit=1&after=job_1"


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=-1", "limit=", "limit=1&limit=2", "page=2", "limit=%31x"])
def test_parameters_that_are_none_are_refused(query: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_page(query, 10, 1000)
    assert caught.value.reason is Reason.INVALID_PARAMETER


def test_a_page_begins_after_an_index() -> None:
    assert (read_index(None), read_index("0"), read_page("after=4&limit=2", 10, 1000)) == (0, 1, (2, "4"))


@pytest.mark.parametrize(("state", "retries"), [(State.IN_PROGRESS, True), (State.CANCELLING, True), (State.FAILED, False)])
def test_without_results_it_is_said_whether_to_wait_for_them(state: State, retries: bool) -> None:
    with pytest.raises(Refusal) as caught:
        check_results(change(JOB, state=state))
    assert (caught.value.reason, bool(caught.value.headers)) == (Reason.CONFLICT, retries)
