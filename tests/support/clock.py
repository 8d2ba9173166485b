"""A clock that moves when the test says so."""


class Clock:
    """Seconds, as the event loop's time would be."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Moves on at once."""
        self.now += seconds
