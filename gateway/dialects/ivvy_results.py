"""What became of a job of the ivvy dialect: `{"namespace", "action", "request", "response"}`.

`request` is the params as they were sent. `response` is what the call answered: JSON as it came, text as a string, other bytes
as a string of their base64, null if there were none. A call that failed has an error object there; that of the service itself
if it answered one, which is an object with an errorCode.
"""

from base64 import b64encode

from gateway.batch.content import Content, Kind
from gateway.batch.results import Result
from gateway.dialects.ivvy_jobs import IvvyJob
from gateway.dialects.ivvy_refusals import error_object
from gateway.errors import status_of, title_of
from gateway.jsontext import dump, members
from gateway.messages import Failure


def spell_result(job: IvvyJob, result: Result) -> bytes:
    """The entry of a call that was made."""
    outcome = result.outcome
    if isinstance(outcome, Failure):
        return spell_failure(job, outcome)
    spelled = _spell_content(result.content)
    if result.succeeded or _is_error(result.content):
        return _spell(job, spelled)
    said = "" if result.content.kind is Kind.EMPTY else _as_text(result.content, spelled)
    status = result.status
    error = error_object(status, status, f"the service answered {status}", [said] if said else None)
    return _spell(job, dump(error))


def spell_failure(job: IvvyJob, failure: Failure) -> bytes:
    """The entry of a call that has no answer."""
    status = status_of(failure.reason)
    return _spell(job, dump(error_object(status, status, f"{title_of(failure.reason)}: {failure.detail}")))


def head_of(job_id: str) -> bytes:
    """What stands before the entries of a batch."""
    return b'{"asyncId":%b,"results":[' % dump(job_id)


TAIL = b"]}"
"""What stands after them."""


def _spell(job: IvvyJob, response: bytes) -> bytes:
    return b'{"namespace":%b,"action":%b,"request":%b,"response":%b}' % (
        dump(job.namespace),
        dump(job.action),
        job.params,
        response,
    )


def _spell_content(content: Content) -> bytes:
    match content.kind:
        case Kind.EMPTY:
            return b"null"
        case Kind.JSON:
            return content.body
        case Kind.TEXT:
            return dump(content.text)
        case Kind.BYTES:
            return dump(b64encode(content.body).decode())


def _is_error(content: Content) -> bool:
    return content.kind is Kind.JSON and "errorCode" in (members(content.body) or {})


def _as_text(content: Content, spelled: bytes) -> str:
    return content.text if content.kind is Kind.TEXT else spelled.decode()
