"""Counts over the recent past, in memory that does not grow with the traffic."""

from collections import deque
from collections.abc import Callable

SLICES = 10
"""The window moves on in steps of a tenth of it."""


class RollingCounts:
    """How many things happened in the last `seconds`, and how many of them were marked."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._slice = seconds / SLICES
        self._clock = clock
        self._counts: deque[list[int]] = deque()  # [number of the slice, all, marked], oldest first

    def add(self, count: int = 0, marked: int = 0) -> None:
        """Count some now."""
        current = self._forget()
        if not self._counts or self._counts[-1][0] != current:
            self._counts.append([current, 0, 0])
        self._counts[-1][1] += count
        self._counts[-1][2] += marked

    def totals(self) -> tuple[int, int]:
        """All, and those marked, within the window."""
        self._forget()
        return sum(counts[1] for counts in self._counts), sum(counts[2] for counts in self._counts)

    def clear(self) -> None:
        """Start again from nothing."""
        self._counts.clear()

    def _forget(self) -> int:
        current = int(self._clock() / self._slice)
        while self._counts and self._counts[0][0] <= current - SLICES:
            self._counts.popleft()
        return current
