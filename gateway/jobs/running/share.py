"""How many requests of jobs may be in flight, and whose turn it is.

  a  there are limits in all, for a job and for an upstream; while batches are answered live the first one is lower
  b  who finds no room waits; when some is free it goes to the job with the fewest requests in flight, first come first served
  c  room that is given is kept for its claim until that takes it
Nothing here waits: a claim is woken.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

from gateway.config.jobs import JobSettings

CALM = 1.0
"""Seconds without a live batch until jobs have their full share again: between two live batches there are short gaps."""

LOOK_AGAIN = 0.1
"""Seconds until a claim that waits because of live batches has another look. These do not say when they end."""


class Share:
    """The requests in flight for all jobs. `is_live` says whether batches are answered now; `clock` is monotonic seconds."""

    def __init__(
        self, settings: JobSettings, by_upstream: Mapping[str, int], is_live: Callable[[], bool], clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._by_upstream = by_upstream
        self._is_live = is_live
        self._clock = clock
        self._calm_at = 0.0
        self._total = 0
        self._of_job: Counter[str] = Counter()
        self._of_upstream: Counter[str] = Counter()
        self._waiting: dict[Claim, str] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def in_flight(self) -> int:
        """Requests of jobs in flight, and room kept for some."""
        return self._total

    @property
    def waiting(self) -> int:
        """Chunks that would send more if there were room."""
        return len(self._waiting)

    def claim(self, job: str, wake: Callable[[], None]) -> "Claim":
        """Who sends for a job. `wake` is called, from the event loop, when it should ask again for what it was denied."""
        return Claim(self, job, wake)

    # a
    def _fits(self, job: str, upstream: str) -> bool:
        return (
            self._total < self._most()
            and self._of_job[job] < self._settings.concurrency_per_job
            and self._of_upstream[upstream] < self._by_upstream.get(upstream, self._settings.concurrency)
        )

    def _most(self) -> int:
        now = self._clock()
        if self._is_live():
            self._calm_at = now + CALM
        settings = self._settings
        return settings.concurrency if now >= self._calm_at else min(settings.concurrency, settings.concurrency_beside_live)

    def _count(self, job: str, upstream: str, change: int) -> None:
        self._total += change
        self._of_upstream[upstream] += change
        self._of_job[job] += change
        if not self._of_job[job]:
            del self._of_job[job]

    # b
    def take(self, claim: "Claim", upstream: str) -> bool:
        """Room for one request, or False, and then the claim waits."""
        if self._fits(claim.job, upstream):
            self._count(claim.job, upstream, 1)
            return True
        self._waiting[claim] = upstream
        self._look_again()
        return False

    def leave(self, job: str, upstream: str) -> None:
        """Give room back."""
        self._count(job, upstream, -1)
        self._grant()

    def may_keep(self, claim: "Claim") -> bool:
        """Whether the room of a request that has ended may go to the next one of its claim: if nobody else's turn has come."""
        return self._total <= self._most() and all(other.job == claim.job for other in self._waiting)

    def forget(self, claim: "Claim") -> None:
        """Nobody waits there any more."""
        self._waiting.pop(claim, None)

    def _grant(self) -> None:
        while self._waiting:
            fitting = [claim for claim, upstream in self._waiting.items() if self._fits(claim.job, upstream)]
            if not fitting:
                self._look_again()
                return
            claim = min(fitting, key=lambda claim: self._of_job[claim.job])
            upstream = self._waiting.pop(claim)
            self._count(claim.job, upstream, 1)
            claim.grant(upstream)

    def _look_again(self) -> None:
        if self._timer is None and self._clock() < self._calm_at:
            self._timer = asyncio.get_running_loop().call_later(LOOK_AGAIN, self._look)

    def _look(self) -> None:
        self._timer = None
        self._grant()


class Claim:
    """Who sends the requests of a chunk. It waits for one upstream at a time."""

    def __init__(self, share: Share, job: str, wake: Callable[[], None]) -> None:
        self.job = job
        self._share = share
        self._wake = wake
        self._granted: str | None = None
        self._asked: str | None = None
        self._kept: list[str] = []

    def take(self, upstream: str) -> bool:
        """Whether a request may be sent now, which counts until `leave`. If not, the claim is woken when it may."""
        if self._kept and self._kept[-1] == upstream:
            self._kept.pop()
            return True
        # c
        if self._granted == upstream:
            self._granted = None
            return True
        if self._asked == upstream:
            return False
        if self._asked is not None or self._granted is not None:
            self.withdraw()
        if not self._share.take(self, upstream):
            self._asked = upstream
            return False
        return True

    def leave(self, upstream: str) -> None:
        """A request has ended."""
        self._share.leave(self.job, upstream)

    def pass_on(self, upstream: str) -> None:
        """A request has ended; another one of this claim may take its room, unless others wait. `settle` comes afterwards.

        To give room back for each request, and wake who waits for it, costs more than all else that is done here.
        """
        if self._share.may_keep(self):
            self._kept.append(upstream)
        else:
            self.leave(upstream)

    def settle(self) -> None:
        """Give back the room that no request took."""
        kept, self._kept = self._kept, []
        for upstream in kept:
            self.leave(upstream)

    def grant(self, upstream: str) -> None:
        """There is room, and it is this claim's."""
        self._granted, self._asked = upstream, None
        asyncio.get_running_loop().call_soon(self._wake)

    def close(self) -> None:
        """Nothing more is sent."""
        self.settle()
        self.withdraw()

    def withdraw(self) -> None:
        """Wait for nothing, and give back what was granted and not taken: it is another upstream's turn, or nobody's."""
        self._asked = None
        self._share.forget(self)
        if self._granted is not None:
            upstream, self._granted = self._granted, None
            self._share.leave(self.job, upstream)
