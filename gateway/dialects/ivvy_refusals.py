"""The errors of the ivvy dialect: `{"errorCode", "message", "specificCode"[, "additionalMessages"]}`.

`errorCode` is the HTTP status. Where the vendor has no specific code for what is wrong, it is the status too, which no code of
the vendor's can be taken for: those have five digits.
"""

from enum import StrEnum
from typing import Any

from gateway.dialects.dialect import Encoded
from gateway.errors import Problem, Refusal
from gateway.jsontext import dump
from gateway.messages import Headers, Reason

JSON: Headers = (("content-type", "application/json"),)

STALE = 23005
NOT_SAVED = 24091
BAD_JOB = 24092
EMPTY_PARAMETER = 24093
UNKNOWN_JOB = 24105
NOT_COMPLETED = 24114
UNKNOWN_RESULTS = 24115
TOO_MANY_JOBS = 24448

_MOST_TOLD = 20
_UNSAVED = frozenset({Reason.QUOTA_EXCEEDED, Reason.STORAGE_FULL, Reason.STORAGE_FAILED})


class Action(StrEnum):
    """What can be done in the namespace `batch`."""

    RUN = "run"
    PROGRESS = "progress"
    RESULTS = "results"
    RESTART = "restart"
    REPOST = "repost"


class IvvyRefusal(Refusal):
    """A refusal that has a specific code."""

    def __init__(
        self, status: int, code: int, reason: Reason, detail: str, problems: tuple[Problem, ...] = (), headers: Headers = ()
    ) -> None:
        super().__init__(reason, detail, problems, headers)
        self.status = status
        self.code = code


def refuse_jobs(code: int, detail: str, problems: tuple[Problem, ...] = ()) -> IvvyRefusal:
    """Jobs that cannot be run."""
    return IvvyRefusal(400, code, Reason.INVALID_ENVELOPE, detail, problems)


def add_code(refusal: Refusal, action: Action) -> Refusal:
    """The same refusal with the specific code that it has for an action, if it has one."""
    if isinstance(refusal, IvvyRefusal):
        return refusal
    reason = refusal.reason
    status, code = refusal.status, 0
    if reason is Reason.NOT_FOUND:
        code = UNKNOWN_RESULTS if action is Action.RESULTS else UNKNOWN_JOB
    elif reason is Reason.CONFLICT:
        status, code = 400, NOT_COMPLETED
    elif reason in _UNSAVED and action is Action.RUN:
        code = NOT_SAVED
    return IvvyRefusal(status, code, reason, refusal.detail, refusal.problems, refusal.headers) if code else refusal


def error_object(status: int, code: int, message: str, more: list[str] | None = None) -> dict[str, Any]:
    """An error as clients of this dialect know it."""
    error: dict[str, Any] = {"errorCode": status, "message": message, "specificCode": code}
    if more:
        error["additionalMessages"] = more
    return error


def encode_refusal(refusal: Refusal) -> Encoded:
    """The answer to a request that was refused."""
    code = refusal.code if isinstance(refusal, IvvyRefusal) else refusal.status
    told = [f"{problem.pointer}: {problem.detail}" for problem in refusal.problems[:_MOST_TOLD]]
    error = error_object(refusal.status, code, refusal.detail, told)
    return Encoded(refusal.status, (*JSON, *refusal.headers), dump(error))
