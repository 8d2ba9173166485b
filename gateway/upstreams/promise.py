"""The top of the stack for those who wait: what is awaited for an outcome."""

import asyncio
from typing import Any

from gateway.messages import Outcome, Ticket


class Promise(asyncio.Future[Outcome]):
    """A request on its way, and its ticket. Cancelling it closes what it holds at once, not when somebody gets round to it."""

    __slots__ = ("ticket",)

    ticket: Ticket | None

    def cancel(self, msg: Any | None = None) -> bool:
        """As for every future."""
        ticket, self.ticket = self.ticket, None
        if ticket is not None:
            ticket.cancel()
        return super().cancel(msg)

    def finish(self, outcome: Outcome) -> None:
        """It has ended."""
        self.ticket = None  # it refers to this method
        self.set_result(outcome)
