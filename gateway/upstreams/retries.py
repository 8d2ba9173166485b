"""The layer that tries again what was not answered.

A request of which nothing was sent may always be tried again. One that was sent and not answered is tried again only if its
method is idempotent (RFC 9110 section 9.2.2), so a POST or PATCH never goes out twice. What began to be answered is not tried
again.
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from gateway.messages import IDEMPOTENT_METHODS, Failure, Outcome, Reason, Request, Response
from gateway.upstreams.attempt import ENDED, Attempt, Progress, Start, Ticket, Transport
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


class Retries:
    """At most `times` for one request, and a `budget` (retries per request, recently) for all of them together."""

    def __init__(
        self,
        *,
        times: int,
        budget: float,
        clock: Callable[[], float],
        random: Callable[[], float],
        later: Later = later,
    ) -> None:
        self.clock = clock
        self.later = later
        self.counts: Counter[Reason] = Counter()
        self._times = times
        self._budget = budget
        self._random = random
        self._recent = RollingCounts(BUDGET_WINDOW)

    def around(self, transport: Transport) -> Start:
        """The layer that turns a transport into a Start."""

        clock, recent = self.clock, self._recent

        def start_again(request: Request, done: Callable[[Outcome], None]) -> Ticket:
            now = clock()
            if now >= recent.ends:
                recent.move_on(now)
            recent.all += 1

            def finish(attempt: Attempt) -> None:
                outcome = attempt.outcome
                if type(outcome) is Response:
                    done(outcome)
                else:
                    Tries(self, transport, request, done, now).finish(attempt)

            return transport(request, finish)

        return start_again

    def grant(self, failure: Failure, progress: Progress, request: Request, retry: int) -> float | None:
        """The pause before the `retry`-th retry, which is counted, or None if there is to be none."""
        if retry > self._times or not may_try_again(failure, progress, request.method):
            return None
        now = self.clock()
        pause = pause_before(retry, failure.reason, self._random())
        requests, retries = self._recent.totals(now)
        if now + pause >= request.deadline or retries >= max(BUDGET_FLOOR, self._budget * requests):
            return None
        self._recent.add(now, marked=1)
        self.counts[failure.reason] += 1
        return pause


class Tries:
    """A request whose first try failed, and the ticket of all that follows from that. `first` is when that try began."""

    def __init__(
        self, layer: Retries, transport: Transport, request: Request, done: Callable[[Outcome], None], first: float
    ) -> None:
        self._layer = layer
        self._transport = transport
        self._request = request
        self._done = done
        self._first = self._started = first
        self._retry = 0
        self._maybe_processed = False
        self._ticket: Ticket = ENDED

    def cancel(self) -> None:
        """End the try, or the pause, that it is at."""
        self._ticket.cancel()

    def finish(self, attempt: Attempt) -> None:
        """A try has ended: the request too, or it is tried again."""
        pause = self._look_at(attempt.outcome, attempt.progress)
        if pause is None:
            self._done(self._tell_all(attempt.outcome))
            return
        attempt.following = self
        self._retry += 1
        if pause:
            self._ticket = self._layer.later(pause, self._again)
        else:
            self._again()

    def _look_at(self, outcome: Outcome, progress: Progress) -> float | None:
        """The pause before the next try, if there is to be one."""
        if not isinstance(outcome, Failure):
            return None
        self._maybe_processed = self._maybe_processed or outcome.maybe_processed
        return self._layer.grant(outcome, progress, self._request, self._retry + 1)

    def _again(self) -> None:
        self._started = self._layer.clock()
        self._ticket = self._transport(self._request, self.finish)

    def _tell_all(self, outcome: Outcome) -> Outcome:
        """The last outcome, with what is to be said of the tries before."""
        if not self._retry:
            return outcome
        outcome = outcome._replace(queued=outcome.queued + self._started - self._first)
        if isinstance(outcome, Failure):
            outcome = outcome._replace(maybe_processed=self._maybe_processed)
        return outcome
