"""A request of a batch that has been sent, or shares the answer of one that was."""

from typing import Protocol

from gateway.batch.step import Step
from gateway.messages import Outcome, Request


class Ground(Protocol):
    """Where requests come back to."""

    def land(self, flight: "Flight", outcome: Outcome) -> None:
        """A request has ended."""


class Flight:
    """Which step, for which item, what was sent and when it was ready; the `outcome` once it has ended.

    `leader` is the one whose answer it shares.
    """

    __slots__ = ("ground", "item", "leader", "outcome", "ready", "request", "step")

    def __init__(self, ground: Ground, step: Step, item: int | None, request: Request, ready: float) -> None:
        self.ground = ground
        self.step = step
        self.item = item
        self.request = request
        self.ready = ready
        self.outcome: Outcome | None = None
        self.leader: Flight | None = None

    def land(self, outcome: Outcome) -> None:
        """It has ended."""
        self.ground.land(self, outcome)
