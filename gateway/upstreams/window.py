"""Counts over the recent past, in memory and time that do not grow with the traffic."""

from collections import deque

SLICES = 10
"""The window moves on in steps of a tenth of it."""


class RollingCounts:
    """How many things happened in the last `seconds`, and how many of them were marked. `now` never goes back.

    Where one thing is counted for every request, `add(now, 1)` may be written out: `if now >= ends: move_on(now)`, `all += 1`.
    """

    def __init__(self, seconds: float) -> None:
        self._slice = seconds / SLICES
        self._older: deque[tuple[int, int, int]] = deque()  # (number, all, marked) of each slice, oldest first
        self._older_all = 0
        self._older_marked = 0
        self._number = 0
        self.ends = 0.0
        self.all = 0
        self._marked = 0

    def add(self, now: float, count: int = 0, marked: int = 0) -> None:
        """Count some."""
        if now >= self.ends:
            self.move_on(now)
        self.all += count
        self._marked += marked

    def totals(self, now: float) -> tuple[int, int]:
        """All, and those marked, within the window."""
        if now >= self.ends:
            self.move_on(now)
        return self.all + self._older_all, self._marked + self._older_marked

    def clear(self) -> None:
        """Start again from nothing."""
        self._older.clear()
        self._older_all = self._older_marked = self.all = self._marked = 0

    def move_on(self, now: float) -> None:
        """Put the current slice to the others, and forget those that have left the window."""
        if self.all or self._marked:
            self._older.append((self._number, self.all, self._marked))
            self._older_all += self.all
            self._older_marked += self._marked
            self.all = self._marked = 0
        number = int(now / self._slice) + 1
        if number * self._slice <= now:  # which rounding can make of a slice's first moment
            number += 1
        self._number = number
        self.ends = number * self._slice
        while self._older and self._older[0][0] <= number - SLICES:
            _, counted, marked = self._older.popleft()
            self._older_all -= counted
            self._older_marked -= marked
