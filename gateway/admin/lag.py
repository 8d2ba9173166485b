"""How late the event loop is: the one number that shows that something blocks it."""

import asyncio
from collections import deque

INTERVAL = 0.25
"""Seconds between two looks."""

WINDOW = 60
"""Looks that count: 15 seconds, the usual time between two scrapes."""


class LoopLag:
    """Asks to be woken every INTERVAL and notes how much later it was."""

    def __init__(self) -> None:
        self._late: deque[float] = deque(maxlen=WINDOW)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin looking."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(INTERVAL, self._look, loop, loop.time() + INTERVAL)

    def stop(self) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()

    def worst(self) -> float:
        """The longest delay of the last WINDOW looks, in seconds."""
        return max(self._late, default=0.0)

    def _look(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        self._late.append(max(0.0, loop.time() - due))
        self.start()
