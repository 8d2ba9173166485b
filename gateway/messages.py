"""The values that travel: a request to an upstream, what became of it, and who is asking.

Pure: no clock, no sockets, no logging. All are NamedTuples, because a frozen dataclass costs three times as
much to build, and one of most of them is built for every sub-request.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import NamedTuple, Protocol

Headers = tuple[tuple[str, str], ...]
"""Header fields in order, as (lower-case name, value) pairs."""


class Reason(StrEnum):
    """Why the gateway, and not an upstream, decided a status: the one closed list of problems, logs, metrics and traces."""

    # The request to the gateway
    BAD_REQUEST = "bad-request"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    REQUEST_TIMEOUT = "request-timeout"
    UNSUPPORTED_VERSION = "unsupported-version"
    LOOP_DETECTED = "loop-detected"
    OVERLOADED = "overloaded"
    SHUTTING_DOWN = "shutting-down"
    CLIENT_GONE = "client-gone"
    UNAUTHORIZED = "unauthorized"
    CONFLICT = "conflict"
    QUOTA_EXCEEDED = "quota-exceeded"
    STORAGE_FULL = "storage-full"
    STORAGE_FAILED = "storage-failed"
    CALLBACK_NOT_ALLOWED = "callback-not-allowed"
    # The envelope
    MALFORMED_JSON = "malformed-json"
    PAYLOAD_TOO_LARGE = "payload-too-large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    UNSUPPORTED_ENCODING = "unsupported-encoding"
    INVALID_ENVELOPE = "invalid-envelope"
    TOO_MANY_OPERATIONS = "too-many-operations"
    DUPLICATE_NAME = "duplicate-name"
    DEPENDENCY_CYCLE = "dependency-cycle"
    INVALID_REFERENCE = "invalid-reference"
    UNKNOWN_UPSTREAM = "unknown-upstream"
    NOT_SUPPORTED = "not-supported"
    # The envelope, or an operation once its references are filled
    PATH_NOT_ALLOWED = "path-not-allowed"
    HEADER_NOT_ALLOWED = "header-not-allowed"
    INVALID_HEADER = "invalid-header"
    INVALID_BODY = "invalid-body"
    INVALID_PARAMETER = "invalid-parameter"
    # An operation that was not sent
    REFERENCE_UNRESOLVED = "reference-unresolved"
    REFERENCE_TOO_LARGE = "reference-too-large"
    DEPENDENCY_FAILED = "dependency-failed"
    STOPPED = "stopped"
    CIRCUIT_OPEN = "circuit-open"
    UPSTREAM_OVERLOADED = "upstream-overloaded"
    # An operation that was sent, or tried
    UPSTREAM_CONNECT = "upstream-connect"
    UPSTREAM_DNS = "upstream-dns"
    UPSTREAM_TLS = "upstream-tls"
    UPSTREAM_CLOSED = "upstream-closed"
    UPSTREAM_PROTOCOL = "upstream-protocol"
    UPSTREAM_ENCODING = "upstream-encoding"
    UPSTREAM_TOO_LARGE = "upstream-too-large"
    UPSTREAM_INVALID_JSON = "upstream-invalid-json"
    UPSTREAM_TIMEOUT = "upstream-timeout"
    BATCH_DEADLINE = "batch-deadline"
    ANSWER_TOO_LARGE = "answer-too-large"
    # A line of a job
    JOB_CANCELLED = "job-cancelled"
    JOB_EXPIRED = "job-expired"
    JOB_ABANDONED = "job-abandoned"
    INTERRUPTED = "interrupted"
    INTERNAL = "internal"


class Request(NamedTuple):
    """One sub-request, ready to send. `target` is origin-form and ASCII; `deadline` is in seconds of the monotonic clock."""

    upstream: str
    method: str
    target: str
    headers: Headers
    body: bytes | None
    deadline: float


class Response(NamedTuple):
    """What an upstream answered: body decoded, read to its exact end. `queued` is seconds spent waiting to be sent."""

    status: int
    headers: Headers
    body: bytes
    queued: float = 0.0


class Failure(NamedTuple):
    """Why there is no response. `maybe_processed`: the upstream may have acted on the request all the same."""

    reason: Reason
    detail: str
    queued: float = 0.0
    maybe_processed: bool = False
    cause: str | None = None


Outcome = Response | Failure

Send = Callable[[Request], Awaitable[Outcome]]
"""The one verb to the outside. It never raises for what the network does: that is a Failure. Cancelling the awaitable closes
what it holds."""


class Ticket(Protocol):
    """Something that was started."""

    def cancel(self) -> None:
        """End it: what it holds is closed, and nobody is told. Nothing if it has ended."""


SendThen = Callable[[Request, Callable[[Outcome], None]], Ticket]
"""Send, for those who send so many that a future and a turn of the event loop for each count: the outcome is given to a
function, exactly once, perhaps before this returns, unless the ticket is cancelled first."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""RFC 9110 section 9.2.1, of the methods spoken here."""

IDEMPOTENT_METHODS = SAFE_METHODS | {"PUT", "DELETE"}
"""RFC 9110 section 9.2.2, of the methods spoken here."""


class Trace(NamedTuple):
    """W3C trace context. `trace_id` 32 and `span_id` 16 lower-case hex digits; `span_id` is the gateway's own span."""

    trace_id: str
    span_id: str
    flags: str = "00"
    state: str = ""


class Context(NamedTuple):
    """Who asks, and what every sub-request carries because of it.

    `headers` are the outer request's, hop-by-hop and spoofable ones already gone; an upstream's `forward` picks from them.
    `identity` is set last on each sub-request and cannot be overridden.
    """

    request_id: str
    trace: Trace
    client: str
    headers: Headers = ()
    identity: Headers = ()
