"""Every refusal: what the gateway says when it will not do what was asked.

A Reason has one HTTP status and one title, here; a Refusal is the exception that ends a request before anything is sent.
Problem details follow RFC 9457, pointers RFC 6901.
"""

from dataclasses import dataclass

from gateway.messages import Reason

SUMMARIES: dict[Reason, tuple[int, str]] = {
    Reason.BAD_REQUEST: (400, "The request is not well-formed HTTP"),
    Reason.NOT_FOUND: (404, "Nothing is served at this path"),
    Reason.METHOD_NOT_ALLOWED: (405, "The method is not allowed here"),
    Reason.REQUEST_TIMEOUT: (408, "The request did not arrive in time"),
    Reason.UNSUPPORTED_VERSION: (505, "The HTTP version is not supported"),
    Reason.LOOP_DETECTED: (508, "The request has come through this gateway before"),
    Reason.OVERLOADED: (503, "The gateway is overloaded"),
    Reason.SHUTTING_DOWN: (503, "The gateway is shutting down"),
    Reason.CLIENT_GONE: (499, "The client has gone"),
    Reason.UNAUTHORIZED: (401, "No client of this gateway"),
    Reason.CONFLICT: (409, "Not in this state"),
    Reason.QUOTA_EXCEEDED: (429, "The client has used up what it may keep here"),
    Reason.STORAGE_FULL: (507, "There is no room to store this"),
    Reason.STORAGE_FAILED: (503, "The store of jobs does not work"),
    Reason.CALLBACK_NOT_ALLOWED: (422, "The callback URL is not allowed"),
    Reason.MALFORMED_JSON: (400, "The body is not valid JSON"),
    Reason.PAYLOAD_TOO_LARGE: (413, "The body is too large"),
    Reason.UNSUPPORTED_MEDIA_TYPE: (415, "The content type is not supported"),
    Reason.UNSUPPORTED_ENCODING: (415, "The content encoding is not supported"),
    Reason.INVALID_ENVELOPE: (422, "The batch is not valid"),
    Reason.TOO_MANY_OPERATIONS: (422, "Too many operations"),
    Reason.DUPLICATE_NAME: (422, "A name is used twice"),
    Reason.DEPENDENCY_CYCLE: (422, "Operations wait for each other"),
    Reason.INVALID_REFERENCE: (422, "A reference is not valid"),
    Reason.UNKNOWN_UPSTREAM: (422, "No upstream serves this"),
    Reason.NOT_SUPPORTED: (501, "The gateway does not do this"),
    Reason.PATH_NOT_ALLOWED: (422, "The path is not allowed"),
    Reason.HEADER_NOT_ALLOWED: (422, "The header is not allowed"),
    Reason.INVALID_HEADER: (422, "The header is not valid"),
    Reason.INVALID_BODY: (422, "The body is not valid"),
    Reason.INVALID_PARAMETER: (422, "A parameter is not valid"),
    Reason.REFERENCE_UNRESOLVED: (424, "A reference has no usable value"),
    Reason.REFERENCE_TOO_LARGE: (422, "A referenced value is too large"),
    Reason.DEPENDENCY_FAILED: (424, "An operation this one depends on failed"),
    Reason.STOPPED: (424, "The batch stopped at an earlier failure"),
    Reason.CIRCUIT_OPEN: (503, "The upstream is failing and is being left alone"),
    Reason.UPSTREAM_OVERLOADED: (503, "Too many requests are waiting for the upstream"),
    Reason.UPSTREAM_CONNECT: (502, "The upstream could not be reached"),
    Reason.UPSTREAM_DNS: (502, "The upstream's name could not be resolved"),
    Reason.UPSTREAM_TLS: (502, "No secure connection to the upstream"),
    Reason.UPSTREAM_CLOSED: (502, "The upstream closed the connection"),
    Reason.UPSTREAM_PROTOCOL: (502, "The upstream's answer is not valid HTTP"),
    Reason.UPSTREAM_ENCODING: (502, "The upstream's answer cannot be decoded"),
    Reason.UPSTREAM_TOO_LARGE: (507, "The upstream's answer is too large"),
    Reason.UPSTREAM_INVALID_JSON: (502, "The upstream's answer says it is JSON and is not"),
    Reason.UPSTREAM_TIMEOUT: (504, "The upstream did not answer in time"),
    Reason.BATCH_DEADLINE: (504, "The batch ran out of time"),
    Reason.ANSWER_TOO_LARGE: (507, "The batch's answer is too large"),
    Reason.JOB_CANCELLED: (424, "The job was cancelled before this was sent"),
    Reason.JOB_EXPIRED: (504, "The job ran out of time before this was sent"),
    Reason.JOB_ABANDONED: (500, "Every attempt to run this part of the job was cut short"),
    Reason.INTERRUPTED: (502, "The gateway was stopped before the answer was there"),
    Reason.INTERNAL: (500, "The gateway made a mistake"),
}
"""Status and title by reason. UPSTREAM_INVALID_JSON is only ever a warning: the upstream's status is kept.
METHOD_NOT_ALLOWED is 422 inside an envelope, where the envelope and not the request has the wrong method."""


def status_of(reason: Reason) -> int:
    """The HTTP status of a failure or refusal with this reason."""
    return SUMMARIES[reason][0]


def title_of(reason: Reason) -> str:
    """The short sentence for people, the same for every occurrence (RFC 9457 section 3.1.3)."""
    return SUMMARIES[reason][1]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an envelope. `pointer` leads into the envelope as it was sent."""

    pointer: str
    reason: Reason
    detail: str


class Refusal(Exception):
    """The request is refused as a whole, and nothing was sent upstream.

    `problems` holds everything found wrong; `headers` what the answer must carry beside its body (Allow, Retry-After).
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        problems: tuple[Problem, ...] = (),
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.status = status_of(reason)
        self.detail = detail
        self.problems = problems
        self.headers = headers


def refuse_envelope(problems: list[Problem]) -> Refusal:
    """One 422 for all that is wrong; its own reason is the common one, or invalid-envelope where they differ."""
    reasons = {problem.reason for problem in problems}
    reason = reasons.pop() if len(reasons) == 1 else Reason.INVALID_ENVELOPE
    detail = problems[0].detail if len(problems) == 1 else f"{len(problems)} problems; the first: {problems[0].detail}"
    refusal = Refusal(reason, detail, tuple(problems))
    refusal.status = 422
    return refusal
