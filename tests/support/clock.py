"""A clock that moves when the test says so."""

from collections.abc import Callable


class Alarm:
    """Something that is to happen, unless it is cancelled."""

    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self.when = when
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        """Let it not happen."""
        self.cancelled = True


class Clock:
    """Seconds, as the event loop's time would be, and what is to happen later."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.alarms: list[Alarm] = []

    def __call__(self) -> float:
        return self.now

    def later(self, seconds: float, call: Callable[[], None]) -> Alarm:
        """Happens when `run` has moved on so far."""
        alarm = Alarm(self.now + seconds, call)
        self.alarms.append(alarm)
        return alarm

    def step(self) -> bool:
        """Move on until the next thing has happened; False if nothing is left to."""
        pending = [alarm for alarm in self.alarms if not alarm.cancelled]
        if not pending:
            return False
        first = min(pending, key=lambda alarm: alarm.when)
        self.alarms.remove(first)
        self.now = max(self.now, first.when)
        first.call()
        return True

    def run(self) -> None:
        """Move on until nothing is left to happen."""
        while self.step():
            pass
