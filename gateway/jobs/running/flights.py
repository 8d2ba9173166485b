"""The lines of a chunk between being made ready and having a result: noted as about to be sent, and in flight."""

from typing import NamedTuple, Protocol

from gateway.jobs.running.preparing import Prepared
from gateway.messages import Outcome, Request, Ticket


class Noted(NamedTuple):
    """A line noted as about to be sent; `has_room` if there is room kept for it."""

    prepared: Prepared
    has_room: bool


class Lands(Protocol):
    """Who is told of requests that have ended."""

    def land(self, flight: "Flight", outcome: Outcome) -> None:
        """It has ended."""


class Flight:
    """A request in flight. `ticket` is None while the sending has not returned yet, `outcome` until it has ended."""

    __slots__ = ("outcome", "prepared", "request", "sending", "started", "ticket")

    def __init__(self, sending: Lands, prepared: Prepared, request: Request, started: float) -> None:
        self.sending = sending
        self.prepared = prepared
        self.request = request
        self.started = started
        self.outcome: Outcome | None = None
        self.ticket: Ticket | None = None

    def land(self, outcome: Outcome) -> None:
        """It has ended."""
        self.sending.land(self, outcome)
