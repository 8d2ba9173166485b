"""The layer that leaves a failing upstream alone for a while.

closed      every request passes; when enough of the recent ones failed, the circuit opens
open        requests fail at once, until the cooldown is over
half-open   one request passes as a probe: it succeeds and the circuit closes, or fails and the circuit is open again
"""

from collections.abc import Callable
from enum import StrEnum

from gateway.messages import Failure, Outcome, Reason, Response
from gateway.upstreams.sending import Inner, Outer, Sending
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

    inner: Inner
    outer: Outer

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
        self._counts = RollingCounts(window)
        self._opened: float | None = None
        self._why = ""
        self._probe: Sending | None = None
        self._era = 0  # grows whenever the circuit opens or closes; an outcome from an earlier era is old news

    @property
    def circuit(self) -> Circuit:
        """The state now."""
        if self._opened is None:
            return Circuit.CLOSED
        return Circuit.HALF_OPEN if self._clock() - self._opened >= self._cooldown else Circuit.OPEN

    @property
    def refuses(self) -> bool:
        """Whether a request would be failed at once."""
        return self._opened is not None and (self._probe is not None or self.circuit is Circuit.OPEN)

    def start(self, sending: Sending) -> None:
        """Let it pass, as the probe if there is to be one, or fail it at once."""
        if self._opened is not None:
            if self.refuses:
                self.outer.finish(sending, Failure(Reason.CIRCUIT_OPEN, self._explain(sending.started)))
                return
            self._probe = sending
        sending.era = self._era
        self.inner.start(sending)

    def finish(self, sending: Sending, outcome: Outcome) -> None:
        """Count the outcome, unless it is old news."""
        if sending is self._probe:
            self._end_probe(self._judge(outcome, sending, self._clock()))
        elif sending.era == self._era:
            now = self._clock()
            if isinstance(outcome, Response) and outcome.status not in FAILING_STATUSES:
                counts = self._counts
                if now >= counts.ends:
                    counts.move_on(now)
                counts.all += 1
            else:
                self._record(outcome, sending, now)
        self.outer.finish(sending, outcome)

    def cancel(self, sending: Sending) -> None:
        """A probe that is given up leaves the way to the next."""
        if sending is self._probe:
            self._probe = None
        self.inner.cancel(sending)

    def _end_probe(self, failed: bool | None) -> None:
        """The probe has ended; it failed, succeeded, or does not tell."""
        self._probe = None
        if failed:
            self._open("failed again when it was tried", self._clock())
        elif failed is False:
            self._opened = None
            self._era += 1
            self._counts.clear()

    def _judge(self, outcome: Outcome, sending: Sending, now: float) -> bool | None:
        """Whether the upstream failed; None if that cannot be told.

        A client may ask for less time than the upstream needs, and must not open the circuit for everybody else. So a request
        that ran into its deadline tells only if the upstream had `patience` seconds; one that ended before could not connect.
        """
        sent = sending.started + outcome.queued
        return judge(outcome, now < sending.request.deadline - TIMER_SLACK or now - sent >= self._patience)

    def _record(self, outcome: Outcome, sending: Sending, now: float) -> None:
        failed = self._judge(outcome, sending, now)
        if failed is None:
            return
        self._counts.add(now, 1, int(failed))
        requests, failures = self._counts.totals(now)
        if failed and requests >= self._minimum and failures >= self._failure_ratio * requests:
            self._open(f"failed {failures} of its last {requests} requests in {self._window:g} s", now)

    def _open(self, why: str, now: float) -> None:
        self._opened = now
        self._why = why
        self._era += 1

    def _explain(self, now: float) -> str:
        if self._probe is not None:
            return f"{self._upstream} {self._why}; one request is trying it now"
        left = self._cooldown - (now - (self._opened or 0.0))
        return f"{self._upstream} {self._why}; the next is let through in {left:.1f} s"
