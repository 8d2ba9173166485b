"""What the public edge is told about itself: its name, whom it trusts, and how much it puts up with."""

from dataclasses import dataclass, field

from gateway.server.context import Trust


@dataclass(frozen=True, slots=True)
class Patience:
    """How many connections may be open, and for how long (seconds) each may keep us waiting."""

    connections: int = 10_000
    header_timeout: float = 10.0
    body_timeout: float = 30.0
    write_timeout: float = 30.0
    keepalive_timeout: float = 75.0

    @property
    def sweep_interval(self) -> float:
        """How often to look for connections that are overdue: a fraction of the shortest time, at most a second."""
        return min(1.0, self.header_timeout / 4, self.write_timeout / 4)


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """`body` is the most bytes of a request body, before and after inflating."""

    trust: Trust
    body: int = 1 << 20
    patience: Patience = field(default_factory=Patience)
