"""The orderly stop: nothing new is sent, what is in flight may end, then it is cut."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Cut(Exception):
    """The time of the stop was over first."""


class Drain:
    """Whether running jobs are to come to rest. Listeners are called when that begins, and when time is over."""

    def __init__(self) -> None:
        self.is_on = False
        self.is_over = False
        self._listeners: set[Callable[[], None]] = set()

    def listen(self, call: Callable[[], None]) -> None:
        """Have a function called at both."""
        self._listeners.add(call)

    def ignore(self, call: Callable[[], None]) -> None:
        """Have it called no more."""
        self._listeners.discard(call)

    def begin(self) -> None:
        """Send nothing new."""
        self.is_on = True
        self._tell()

    def cut(self) -> None:
        """Wait no longer for what is in flight."""
        self.is_over = True
        self._tell()

    @asynccontextmanager
    async def until_cut(self) -> AsyncIterator[None]:
        """Do what may be cut short: Cut if time is over before the block ends."""
        block = asyncio.timeout(None)

        def look() -> None:
            if self.is_over and not block.expired():
                block.reschedule(0.0)

        try:
            async with block:
                self.listen(look)
                look()
                yield
        except TimeoutError:
            if block.expired():
                raise Cut from None
            raise
        finally:
            self.ignore(look)

    def _tell(self) -> None:
        for call in list(self._listeners):
            call()
