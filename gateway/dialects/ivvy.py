"""The ivvy dialect: callback jobs, as clients of iVvy's batch API 1.0 send them. Requests to values, and values to answers.

All calls are a POST of JSON with `?action=` in the query:

    run       {"jobs": [{"namespace", "action", "params"}, …], "callbackUrl"}  ->  {"asyncId"}
    progress  {"async"}  ->  {"progress"}, a number from 0 to 100
    results   {"async"}  ->  {"asyncId", "results": [{"namespace", "action", "request", "response"}, …]}
    restart   {"async"}  ->  {"restarted": true}
    repost    {"async"}  ->  {"reposted": true}
"""

import re
from urllib.parse import parse_qsl

from gateway.batch.job import Job
from gateway.dialects.dialect import Encoded
from gateway.dialects.fields import describe, is_string
from gateway.dialects.ivvy_jobs import IvvyJob, JobReader, as_line
from gateway.dialects.ivvy_refusals import (
    BAD_JOB,
    EMPTY_PARAMETER,
    JSON,
    TOO_MANY_JOBS,
    Action,
    IvvyRefusal,
    refuse_jobs,
)
from gateway.errors import Refusal
from gateway.jsontext import NotJson, Raw, Record, check_document, dump, elements, load, members
from gateway.messages import Reason

_ID = re.compile(r"[0-9a-f]{32}")
_ACTIONS = ", ".join(Action)


class Submitted(Record, frozen=True):
    """A batch to run: its jobs, and each of them as one line of JSON."""

    jobs: tuple[IvvyJob, ...]
    lines: tuple[bytes, ...]
    callback_url: str


def read_action(query: str) -> Action:
    """What the query of a request asks for. An IvvyRefusal, 404, if there is no such thing."""
    asked = [value for name, value in parse_qsl(query, keep_blank_values=True) if name == "action"]
    if len(asked) == 1 and asked[0] in list(Action):
        return Action(asked[0])
    raise IvvyRefusal(404, 404, Reason.NOT_FOUND, f"the query must have one action, which is one of {_ACTIONS}")


def read_fields(body: bytes, depth: int) -> dict[str, Raw]:
    """The fields of a request's body, which is nested at most `depth` deep. A Refusal if it is no JSON object."""
    try:
        check_document(body, depth)
    except NotJson as error:
        raise Refusal(Reason.MALFORMED_JSON, str(error)) from None
    fields = members(body)
    if fields is None:
        raise IvvyRefusal(400, 400, Reason.INVALID_ENVELOPE, "the body must be a JSON object")
    return fields


def read_id(fields: dict[str, Raw]) -> str:
    """The id of the batch that a request is about. A Refusal if there is none, or none that a batch can have."""
    if "async" not in fields or not is_string(fields["async"]):
        found = describe(fields["async"]) if "async" in fields else "nothing"
        raise IvvyRefusal(400, 400, Reason.INVALID_ENVELOPE, f"async must be the id of a batch, a string, got {found}")
    text: str = load(fields["async"])
    if not _ID.fullmatch(text):
        raise Refusal(Reason.NOT_FOUND, "there is no batch with this id")
    return text


def asks_for_progress(fields: dict[str, Raw]) -> bool:
    """Whether a `run` means `progress`: one SDK asks for it so."""
    return "async" in fields and "jobs" not in fields


def decode_run(fields: dict[str, Raw], most: int) -> Submitted:
    """The batch to run, of at most so many jobs. An IvvyRefusal that tells the first twenty things wrong with it."""
    listed = elements(fields["jobs"]) if "jobs" in fields else None
    if listed is None:
        found = describe(fields["jobs"]) if "jobs" in fields else "nothing"
        raise refuse_jobs(BAD_JOB, f"Incorrect job format: jobs must be a list, got {found}")
    if not listed:
        raise refuse_jobs(EMPTY_PARAMETER, "Empty job parameter found: jobs has none")
    if len(listed) > most:
        raise refuse_jobs(TOO_MANY_JOBS, f"{len(listed)} jobs, {most} are allowed in one batch")
    reader = JobReader()
    read = [reader.read(raw, f"/jobs/{index}") for index, raw in enumerate(listed)]
    reader.refuse()
    jobs = tuple([job for job in read if job is not None])
    return Submitted(jobs, tuple([as_line(raw) for raw in listed]), _read_callback(fields))


def _read_callback(fields: dict[str, Raw]) -> str:
    raw = fields.get("callbackUrl")
    if raw is None or bytes(raw) in (b"null", b'""'):
        raise refuse_jobs(EMPTY_PARAMETER, "Empty job parameter found: callbackUrl is needed")
    if not is_string(raw):
        raise refuse_jobs(BAD_JOB, f"callbackUrl must be a string, got {describe(raw)}")
    url: str = load(raw)
    return url


def progress_of(job: Job) -> int:
    """Percent of a batch's jobs that have ended; 100 only when there are results."""
    if job.is_final:
        return 100
    return min(99, (job.succeeded + job.failed) * 100 // job.lines) if job.lines else 0


def encode(field: str, value: str | int | bool) -> Encoded:
    """An answer of one field."""
    return Encoded(200, JSON, dump({field: value}))
