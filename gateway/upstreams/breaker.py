"""The layer that leaves a failing upstream alone for a while.

closed      every request passes; when enough of the recent ones failed, the circuit opens
open        requests fail at once, until the cooldown is over
half-open   one request passes as a probe: it succeeds and the circuit closes, or fails and the circuit is open again
"""

from collections.abc import Callable
from enum import StrEnum

from gateway.messages import Failure, Outcome, Reason, Request, Response, Send
from gateway.upstreams.window import RollingCounts

FAILING_STATUSES = frozenset({502, 503, 504})
"""Says that the upstream, or one behind it, is down. A 500 may be the fault of one request, and a client could send many."""

FAILING_REASONS = frozenset(
    {
        Reason.UPSTREAM_CONNECT,
        Reason.UPSTREAM_DNS,
        Reason.UPSTREAM_TLS,
        Reason.UPSTREAM_CLOSED,
        Reason.UPSTREAM_PROTOCOL,
        Reason.UPSTREAM_TIMEOUT,
    }
)

UNJUDGED_REASONS = frozenset({Reason.UPSTREAM_OVERLOADED, Reason.PATH_NOT_ALLOWED})
"""Never sent, so they say nothing about the upstream."""


TIMER_SLACK = 0.05
"""Seconds by which the event loop's timers and its clock may disagree."""


class Circuit(StrEnum):
    """The state of a breaker, as metrics show it."""

    CLOSED = "closed"
    HALF_OPEN = "half-open"
    OPEN = "open"


def judge(outcome: Outcome, tells: bool) -> bool | None:
    """Whether the upstream failed; None if the outcome does not tell. `tells`: if it is a timeout, it does."""
    match outcome:
        case Response(status=status):
            return status in FAILING_STATUSES
        case Failure(reason=Reason.UPSTREAM_TIMEOUT):
            return True if tells else None
        case Failure(reason=reason):
            return None if reason in UNJUDGED_REASONS else reason in FAILING_REASONS


class Breaker:
    """`failure_ratio` of at least `minimum` requests within `window` seconds opens the circuit for `cooldown` seconds."""

    def __init__(
        self,
        upstream: str,
        *,
        failure_ratio: float,
        minimum: int,
        window: float,
        cooldown: float,
        patience: float,
        clock: Callable[[], float],
    ) -> None:
        self._upstream = upstream
        self._failure_ratio = failure_ratio
        self._minimum = minimum
        self._window = window
        self._cooldown = cooldown
        self._patience = patience
        self._clock = clock
        self._counts = RollingCounts(window, clock)
        self._opened: float | None = None
        self._why = ""
        self._probing = False
        self._era = 0  # grows whenever the circuit opens or closes; an outcome from an earlier era is old news

    @property
    def circuit(self) -> Circuit:
        """The state now."""
        if self._opened is None:
            return Circuit.CLOSED
        return Circuit.HALF_OPEN if self._clock() - self._opened >= self._cooldown else Circuit.OPEN

    def around(self, send: Send) -> Send:
        """The layer."""

        async def send_unless_open(request: Request) -> Outcome:
            circuit = self.circuit
            if circuit is Circuit.OPEN or self._probing:
                return Failure(Reason.CIRCUIT_OPEN, self._explain())
            era = self._era
            self._probing = circuit is Circuit.HALF_OPEN
            failed: bool | None = None
            started = self._clock()
            try:
                outcome = await send(request)
                failed = judge(outcome, self._was_patient(request, started + outcome.queued))
            finally:
                self._record(failed, era)
            return outcome

        return send_unless_open

    def _was_patient(self, request: Request, sent: float) -> bool:
        """Whether a timeout now is the upstream's doing.

        A client may ask for less time than the upstream needs, and must not open the circuit for everybody else. So a request
        that ran into its deadline tells only if the upstream had `patience` seconds; one that ended before could not connect.
        """
        now = self._clock()
        return now < request.deadline - TIMER_SLACK or now - sent >= self._patience

    def _record(self, failed: bool | None, era: int) -> None:
        if era != self._era:
            return
        if self._opened is not None:
            self._end_probe(failed)
        elif failed is not None:
            self._counts.add(1, int(failed))
            requests, failures = self._counts.totals()
            if failed and requests >= self._minimum and failures >= self._failure_ratio * requests:
                self._open(f"failed {failures} of its last {requests} requests in {self._window:g} s")

    def _end_probe(self, failed: bool | None) -> None:
        self._probing = False
        if failed:
            self._open("failed again when it was tried")
        elif failed is False:
            self._opened = None
            self._era += 1
            self._counts.clear()

    def _open(self, why: str) -> None:
        self._opened = self._clock()
        self._why = why
        self._era += 1

    def _explain(self) -> str:
        if self._probing:
            return f"{self._upstream} {self._why}; one request is trying it now"
        left = self._cooldown - (self._clock() - (self._opened or 0.0))
        return f"{self._upstream} {self._why}; the next is let through in {left:.1f} s"
