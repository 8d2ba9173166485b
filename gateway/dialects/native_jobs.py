"""A job on the wire: its JSON, pages of jobs and of results, the events that tell of its progress, and who asked for what."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from gateway.batch.job import Ending, Job, LineProblem, State
from gateway.errors import Refusal
from gateway.jsontext import dump
from gateway.messages import Headers, Reason

JOBS = "/jobs"
"""Where native jobs are served."""

RESPOND_ASYNC = "respond-async"
"""The preference (RFC 7240 section 4.1) with which a batch is run as a job."""

EVENT_HEADERS: Headers = (("content-type", "text/event-stream"), ("x-accel-buffering", "no"))
HEARTBEAT = b":\n\n"

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*+"?')
_JSON: Headers = (("content-type", "application/json"),)


def prefers_async(prefer: str) -> bool:
    """Whether a Prefer header (RFC 7240 section 2) asks for it. `wait` says nothing here: a job is answered at once."""
    words = [one.partition(";")[0].partition("=")[0] for one in _QUOTED.sub("", prefer).lower().split(",")]
    return RESPOND_ASYNC in [word.strip() for word in words]


def path_of(job_id: str) -> str:
    """Where a job is."""
    return f"{JOBS}/{job_id}"


def describe_job(job: Job) -> dict[str, Any]:
    """A job's object. Times are ISO 8601 in UTC; what has not happened yet is left out."""
    described: dict[str, Any] = {
        "id": job.id,
        "state": job.state.value,
        "counts": {"total": job.lines, "succeeded": job.succeeded, "failed": job.failed},
        "createdAt": spell_time(job.created_at),
        "expiresAt": spell_time(job.expires_at),
    }
    if State.IN_PROGRESS in job.reached:
        described["startedAt"] = spell_time(job.reached[State.IN_PROGRESS])
    if job.is_final and job.state in job.reached:
        described["endedAt"] = spell_time(job.reached[job.state])
    if job.ending is Ending.CANCELLED:
        described["cancelRequested"] = True
    if job.keep_until is not None:
        described["keptUntil"] = spell_time(job.keep_until)
    if job.problems:
        described["errors"] = [_describe_problem(problem) for problem in job.problems]
    return described


def encode_job(job: Job) -> bytes:
    """A job with the links to what belongs to it."""
    path = path_of(job.id)
    links = {"self": path, "events": f"{path}/events"}
    if job.is_final and job.results is not None:
        links["results"] = f"{path}/results"
    return dump({**describe_job(job), "links": links})


def encode_jobs(jobs: Sequence[Job], limit: int, has_more: bool) -> bytes:
    """A page of jobs, the newest first."""
    described = [describe_job(job) | {"links": {"self": path_of(job.id)}} for job in jobs]
    page: dict[str, Any] = {"jobs": described, "hasMore": has_more}
    if has_more:
        page["next"] = f"{JOBS}?{urlencode({'limit': limit, 'after': jobs[-1].id})}"
    return dump(page)


def encode_results(job: Job, lines: Sequence[bytes], limit: int, following: int | None) -> bytes:
    """A page of results from `lines`, the entries as they stand in the document. `following`: the index of the first entry
    of the next page, or None."""
    ending = b',"hasMore":false}'
    if following is not None:
        link = f"{path_of(job.id)}/results?{urlencode({'limit': limit, 'after': following - 1})}"
        ending = b',"hasMore":true,"next":%b}' % dump(link)
    return b'{"responses":[%b]%b' % (b",".join(lines), ending)


def encode_event(job: Job) -> bytes:
    """What is sent when a job has changed: an event `progress`, or `end` when it has ended (WHATWG HTML section 9.2)."""
    return b"event: %b\ndata: %b\n\n" % (b"end" if job.is_final else b"progress", encode_job(job))


def json_headers(job: Job | None = None, seconds: int = 1) -> Headers:
    """What an answer with JSON says. For a job that has not ended: when to ask again."""
    return _JSON if job is None or job.is_final else (*_JSON, ("retry-after", str(seconds)))


def read_page(query: str, default: int, most: int) -> tuple[int, str | None]:
    """`limit` and `after` of a query. A Refusal, INVALID_PARAMETER, for anything else."""
    fields = _read_fields(query)
    limit = fields.get("limit", str(default))
    if not re.fullmatch(r"[0-9]{1,6}", limit) or not 1 <= int(limit) <= most:
        raise Refusal(Reason.INVALID_PARAMETER, f"limit is a whole number from 1 to {most}")
    return int(limit), fields.get("after")


def read_index(after: str | None) -> int:
    """The index of the first entry that follows `after`, the index of another. A Refusal, INVALID_PARAMETER."""
    if after is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,9}", after):
        raise Refusal(Reason.INVALID_PARAMETER, "after is the index of an entry, as a whole number")
    return int(after) + 1


def _read_fields(query: str) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in ("limit", "after"):
            raise Refusal(Reason.INVALID_PARAMETER, "the parameters here are limit and after")
        if name in fields:
            raise Refusal(Reason.INVALID_PARAMETER, f"{name} is given twice")
        fields[name] = value
    return fields


def spell_time(seconds: float) -> str:
    """A time in seconds since 1970 as ISO 8601, in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _describe_problem(problem: LineProblem) -> dict[str, Any]:
    return {"pointer": problem.param or "", "detail": problem.message, "reason": problem.code}
