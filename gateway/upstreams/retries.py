"""The layer that tries again what was not answered.

A request of which nothing was sent may always be tried again. One that was sent and not answered is tried again only if its
method is idempotent (RFC 9110 section 9.2.2), so a POST or PATCH never goes out twice. What began to be answered is not tried
again.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial

from gateway.messages import IDEMPOTENT_METHODS, Failure, Outcome, Reason, Request, Ticket
from gateway.upstreams.attempt import Attempt, Progress, Transport
from gateway.upstreams.sending import ENDED, Earlier, Outer, Sending
from gateway.upstreams.window import RollingCounts

BUDGET_WINDOW = 10.0
"""Seconds over which retries are weighed against requests."""

BUDGET_FLOOR = 10
"""Retries that are allowed in a window however few the requests, so that a quiet upstream has them too."""

LONGEST_PAUSE = 0.25
"""Seconds. Retries wait out a hiccup, the breaker an outage."""

Later = Callable[[float, Callable[[], None]], Ticket]
"""Calls something so many seconds from now, unless the ticket is cancelled."""


def later(seconds: float, call: Callable[[], None]) -> Ticket:
    """Later, by the running event loop."""
    return asyncio.get_running_loop().call_later(seconds, call)


def may_try_again(failure: Failure, progress: Progress, method: str) -> bool:
    """Whether the standard lets this request be sent again; the budget and the deadline have their say after that."""
    match failure.reason, progress:
        case ((Reason.UPSTREAM_CONNECT | Reason.UPSTREAM_DNS | Reason.UPSTREAM_CLOSED), Progress.NOTHING_SENT):
            return True
        case Reason.UPSTREAM_CLOSED, Progress.NOTHING_ANSWERED:
            return method in IDEMPOTENT_METHODS
        case _:
            return False


def pause_before(retry: int, reason: Reason, chance: float) -> float:
    """Seconds to wait before the `retry`-th retry (from 1): doubling, with full jitter by `chance` in [0, 1).

    The first after a closed connection goes out at once: it was most often one that had been idle for too long.
    """
    if retry == 1 and reason is Reason.UPSTREAM_CLOSED:
        return 0.0
    return chance * min(LONGEST_PAUSE, 0.05 * 2.0 ** (retry - 1))


def tell_all(outcome: Outcome, earlier: Earlier, first: float) -> Outcome:
    """The last outcome, with what is to be said of the tries before. `first` is when they began."""
    queued = outcome.queued + earlier.started - first
    if isinstance(outcome, Failure):
        return outcome._replace(queued=queued, maybe_processed=earlier.maybe_processed or outcome.maybe_processed)
    return outcome._replace(queued=queued)


class Retries:
    """At most `times` for one request, and a `budget` (retries per request, recently) for all of them together.

    The innermost layer: what is inside it is the transport.
    """

    outer: Outer

    def __init__(
        self,
        transport: Transport,
        *,
        times: int,
        budget: float,
        clock: Callable[[], float],
        random: Callable[[], float],
        later: Later = later,
    ) -> None:
        self.counts: Counter[Reason] = Counter()
        self._transport = transport
        self._times = times
        self._budget = budget
        self._clock = clock
        self._random = random
        self._later = later
        self._recent = RollingCounts(BUDGET_WINDOW)

    def start(self, sending: Sending) -> None:
        """Try it for the first time."""
        recent, now = self._recent, sending.started
        if now >= recent.ends:
            recent.move_on(now)
        recent.all += 1
        sending.trier = self
        self._try(sending)

    def cancel(self, sending: Sending) -> None:
        """End the try, or the pause, that it is at."""
        ticket, sending.ticket = sending.ticket, ENDED
        ticket.cancel()

    def tried(self, sending: Sending, attempt: Attempt) -> None:
        """A try has ended: the request too, or it is tried again."""
        sending.ticket = ENDED  # that of the try refers to the request
        outcome = attempt.outcome
        if isinstance(outcome, Failure) and self._goes_on(sending, outcome, attempt.progress):
            return
        if sending.earlier is not None:
            outcome = tell_all(outcome, sending.earlier, sending.started)
        self.outer.finish(sending, outcome)

    def _try(self, sending: Sending) -> None:
        sending.ticket = ENDED
        ticket = self._transport(sending.request, sending.tried)
        if sending.ticket is ENDED and not sending.over:  # else it has ended by now, or is tried again
            sending.ticket = ticket

    def _goes_on(self, sending: Sending, failure: Failure, progress: Progress) -> bool:
        """Whether the request is tried again, now or later."""
        earlier = sending.earlier or Earlier()
        pause = self._grant(failure, progress, sending.request, earlier.count + 1)
        if pause is None:
            return False
        sending.earlier = earlier
        earlier.count += 1
        earlier.maybe_processed = earlier.maybe_processed or failure.maybe_processed
        if pause:
            sending.ticket = self._later(pause, partial(self._try_again, sending, earlier))
        else:
            self._try_again(sending, earlier)
        return True

    def _try_again(self, sending: Sending, earlier: Earlier) -> None:
        earlier.started = self._clock()
        self._try(sending)

    def _grant(self, failure: Failure, progress: Progress, request: Request, retry: int) -> float | None:
        """The pause before the `retry`-th retry, which is counted, or None if there is to be none."""
        if retry > self._times or not may_try_again(failure, progress, request.method):
            return None
        now = self._clock()
        pause = pause_before(retry, failure.reason, self._random())
        requests, retries = self._recent.totals(now)
        if now + pause >= request.deadline or retries >= max(BUDGET_FLOOR, self._budget * requests):
            return None
        self._recent.add(now, marked=1)
        self.counts[failure.reason] += 1
        return pause
