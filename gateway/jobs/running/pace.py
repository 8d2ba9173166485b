"""How far ahead of what is in flight the lines of a job are noted as about to be sent."""

import asyncio
from collections.abc import Callable

FEWEST_AHEAD, MOST_AHEAD = 8, 256
"""Lines of a job noted as about to be sent that have no room yet. If the process were killed now they would count as
interrupted although they were not sent, so there are none where answers take longer than QUICK. Otherwise there are twice as
many when a commit finds none left, half when most are."""

SETTLED = 256
"""Answers of a job until it may be ahead: a short one has little to gain, and would have as much to lose."""

QUICK = 0.1
"""Seconds. A commit takes some hundredths."""

_WEIGHT = 0.1
"""Of the last answer in what is typical."""


class Pace:
    """How many lines of a job may be noted ahead of those in flight, and how many are: all of its chunks together."""

    def __init__(self) -> None:
        self.ahead = 0
        self._noted = 0
        self._typical = 0.0
        self._answers = 0
        self._waiting: set[Callable[[], None]] = set()

    def may_note(self, goes_on: bool, wake: Callable[[], None]) -> bool:
        """Whether one more may be noted, which then counts; half of them at a time, for few commits. Else `wake` is called."""
        if self._noted < self.ahead and (goes_on or 2 * self._noted <= self.ahead):
            self._noted += 1
            return True
        self._waiting.add(wake)
        return False

    def take_back(self) -> None:
        """One that was released could not be sent after all."""
        self._noted += 1

    def release(self, count: int) -> None:
        """So many were sent, or will not be."""
        self._noted -= count
        if self._waiting and 2 * self._noted <= self.ahead:
            for wake in self._waiting:
                asyncio.get_running_loop().call_soon(wake)
            self._waiting.clear()

    def forget(self, wake: Callable[[], None]) -> None:
        """Nobody waits there any more."""
        self._waiting.discard(wake)

    def saw(self, seconds: float) -> None:
        """An answer took so long."""
        self._answers += 1
        self._typical = self._typical * (1 - _WEIGHT) + seconds * _WEIGHT if self._typical else seconds

    def adapt(self, left: int) -> None:
        """A commit has come back, and what could be sent was; so many of the noted ones are left."""
        if self._answers < SETTLED or self._typical > QUICK:
            self.ahead = 0
        elif not left:
            self.ahead = min(2 * self.ahead, MOST_AHEAD) or FEWEST_AHEAD
        elif 2 * left > self.ahead:
            self.ahead = max(self.ahead // 2, FEWEST_AHEAD)
