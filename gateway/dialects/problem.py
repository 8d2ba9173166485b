"""Problem details (RFC 9457) as every dialect that has no error shape of its own, and the server itself, spell them."""

from typing import Any

from gateway.dialects.dialect import Encoded
from gateway.errors import Refusal, status_of, title_of
from gateway.jsontext import dump
from gateway.messages import Failure, Reason


def problem_type(reason: Reason) -> str:
    """The `type` of a problem: stable, and the same word as its reason."""
    return f"/problems/{reason.value}"


def encode_refusal(refusal: Refusal, request_id: str) -> Encoded:
    """A refusal as application/problem+json; `instance` is the request id, `errors` has one item per problem."""
    problem: dict[str, Any] = {
        "type": problem_type(refusal.reason),
        "title": title_of(refusal.reason),
        "status": refusal.status,
        "detail": refusal.detail,
        "instance": request_id,
        "reason": refusal.reason.value,
    }
    if refusal.problems:
        problem["errors"] = [
            {"pointer": one.pointer, "detail": one.detail, "reason": one.reason.value} for one in refusal.problems
        ]
    return Encoded(refusal.status, (("content-type", "application/problem+json"), *refusal.headers), dump(problem))


def failure_object(failure: Failure) -> dict[str, Any]:
    """A failed operation's `error`."""
    error = {
        "type": problem_type(failure.reason),
        "title": title_of(failure.reason),
        "status": status_of(failure.reason),
        "detail": failure.detail,
        "reason": failure.reason.value,
    }
    if failure.cause is not None:
        error["cause"] = failure.cause
    return error
