"""How many bytes may be held at once: a counter with a limit, and a parent whose limit holds too."""


class Budget:
    """Bytes held against `limit`; what is taken here is taken from `parent` as well."""

    def __init__(self, limit: int, parent: "Budget | None" = None) -> None:
        self.limit = limit
        self.held = 0
        self._parent = parent

    def take(self, count: int) -> bool:
        """Hold `count` bytes more; False, and nothing is held, if that would be more than a limit."""
        if self.held + count > self.limit:
            return False
        if self._parent is not None and not self._parent.take(count):
            return False
        self.held += count
        return True

    def release(self, count: int) -> None:
        """Give back `count` bytes."""
        self.held -= count
        if self._parent is not None:
            self._parent.release(count)

    def is_nearly_spent(self) -> bool:
        """Whether 95 % of the limit is held: the time to take no new work."""
        return self.held >= self.limit * 0.95
