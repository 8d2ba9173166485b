"""Why there is no answer: the gateway refused the batch, or could not be reached. Either way the caller gets an exception."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing wrong with the envelope; `pointer` (RFC 6901) leads to it in the envelope as it was sent."""

    pointer: str
    reason: str
    detail: str


class GatewayRefused(Exception):
    """The gateway did not run the batch, and sent nothing upstream.

    `problem` is its problem document (RFC 9457) as it came; `complaints` everything found wrong with the envelope.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = problem
        self.title = str(problem.get("title") or f"The gateway answered {status}")
        self.detail = str(problem.get("detail") or "")
        self.reason = str(problem.get("reason") or "")
        self.complaints = _complaints(problem.get("errors"))
        super().__init__(f"{self.title} ({status}): {self.detail}" if self.detail else f"{self.title} ({status})")


class GatewayUnreachable(Exception):
    """No answer came from `url`. The message says why; the batch may have run all the same if it was a timeout."""

    def __init__(self, url: str, why: str) -> None:
        self.url = url
        self.why = why
        super().__init__(f"no answer from {url}: {why}")


def _complaints(errors: Any) -> tuple[Complaint, ...]:
    if not isinstance(errors, list):
        return ()
    return tuple(
        Complaint(str(error.get("pointer", "")), str(error.get("reason", "")), str(error.get("detail", "")))
        for error in errors
        if isinstance(error, dict)
    )
