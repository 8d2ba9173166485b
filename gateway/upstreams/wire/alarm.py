"""One timer for many deadlines. It is set anew only for a deadline earlier than all others, and most never are."""

import asyncio
import math
from collections.abc import Callable

GRAIN = 0.01
"""Seconds between two times that it rings by itself, so that many deadlines close together cost few of them."""

SLACK = 0.001
"""Seconds by which a timer of the event loop may come too early: uvloop counts milliseconds."""


class Alarm:
    """Calls `ring(due)` at a deadline: what is `due` by then is over. That returns the next deadline there is.

    `wakes` is when it will ring, in seconds of `clock`.
    """

    def __init__(self, ring: Callable[[float], float], clock: Callable[[], float]) -> None:
        self._ring = ring
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self.wakes = math.inf

    def set(self, when: float, now: float) -> None:
        """Ring at `when`, which is earlier than `wakes`."""
        self.cancel()
        self.wakes = when
        self._timer = asyncio.get_running_loop().call_later(max(when - now, 0.0), self._wake)

    def cancel(self) -> None:
        """Do not ring."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self.wakes = math.inf

    def _wake(self) -> None:
        self.cancel()
        now = self._clock()
        following = self._ring(now + SLACK)
        if following < self.wakes:
            self.set(max(following, now + GRAIN), now)
