"""The layer that tries again what was not answered.

A request of which nothing was sent may always be tried again. One that was sent and not answered is tried again only if its
method is idempotent (RFC 9110 section 9.2.2), so a POST or PATCH never goes out twice. What began to be answered is not tried
again.
"""

from collections import Counter
from collections.abc import Awaitable, Callable

from gateway.messages import IDEMPOTENT_METHODS, Failure, Outcome, Reason, Request, Send
from gateway.upstreams.attempt import Attempt, Progress, Transport
from gateway.upstreams.window import RollingCounts

BUDGET_WINDOW = 10.0
"""Seconds over which retries are weighed against requests."""

BUDGET_FLOOR = 10
"""Retries that are allowed in a window however few the requests, so that a quiet upstream has them too."""

LONGEST_PAUSE = 0.25
"""Seconds. Retries wait out a hiccup, the breaker an outage; and a pause keeps its place in the limit."""


def may_try_again(attempt: Attempt, method: str) -> bool:
    """Whether the standard lets this request be sent again; the budget and the deadline have their say after that."""
    match attempt:
        case Attempt(Failure(reason=Reason.UPSTREAM_CONNECT | Reason.UPSTREAM_DNS), Progress.NOTHING_SENT):
            return True
        case Attempt(Failure(reason=Reason.UPSTREAM_CLOSED), Progress.NOTHING_SENT):
            return True
        case Attempt(Failure(reason=Reason.UPSTREAM_CLOSED), Progress.NOTHING_ANSWERED):
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
        sleep: Callable[[float], Awaitable[None]],
        random: Callable[[], float],
    ) -> None:
        self._times = times
        self._budget = budget
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._recent = RollingCounts(BUDGET_WINDOW, clock)
        self.counts: Counter[Reason] = Counter()

    def around(self, transport: Transport) -> Send:
        """The layer that turns a transport into a Send."""

        async def send_again(request: Request) -> Outcome:
            self._recent.add(1)
            first = self._clock()
            maybe_processed = False
            retry = 0
            while True:
                started = self._clock()
                attempt = await transport(request)
                outcome = attempt.outcome
                retry += 1
                if isinstance(outcome, Failure):
                    maybe_processed |= outcome.maybe_processed
                    if await self._pause(attempt, request, retry):
                        continue
                    outcome = outcome._replace(maybe_processed=maybe_processed)
                return outcome._replace(queued=outcome.queued + started - first) if retry > 1 else outcome

        return send_again

    async def _pause(self, attempt: Attempt, request: Request, retry: int) -> bool:
        """Wait before the retry and count it; False at once if there is to be none."""
        if retry > self._times or not isinstance(attempt.outcome, Failure) or not may_try_again(attempt, request.method):
            return False
        reason = attempt.outcome.reason
        pause = pause_before(retry, reason, self._random())
        if self._clock() + pause >= request.deadline or not self._can_afford():
            return False
        self._recent.add(marked=1)
        self.counts[reason] += 1
        if pause:
            await self._sleep(pause)
        return True

    def _can_afford(self) -> bool:
        requests, retries = self._recent.totals()
        return retries < max(BUDGET_FLOOR, self._budget * requests)
