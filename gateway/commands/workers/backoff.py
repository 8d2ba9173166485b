"""How long to wait before a dead worker is replaced."""

STEADY = 10.0
"""Seconds after which a worker's death says nothing about the next one."""

LONGEST = 30.0
"""Seconds between two tries at most."""


class Backoff:
    """Replaces at once what ran for a while. What dies young waits `first` seconds, then twice as long each time."""

    def __init__(self, first: float = 0.25) -> None:
        self._first = first
        self.young = 0

    def wait_after(self, lived: float) -> float:
        """Seconds to wait after a worker that lived `lived` seconds."""
        if lived >= STEADY:
            self.young = 0
            return 0.0
        self.young += 1
        return min(LONGEST, self._first * 2.0 ** (self.young - 1))
