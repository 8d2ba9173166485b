"""What the transport reports of one try of a request."""

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from gateway.messages import Outcome, Request, Ticket


class Progress(Enum):
    """How far one try got; only the transport can know, and what may be tried again hangs on it."""

    NOTHING_SENT = "nothing sent"
    NOTHING_ANSWERED = "sent, at least in part, and no answer began"
    ANSWERED = "an answer began"


class Attempt(Protocol):
    """One try of a request, when it is over."""

    @property
    def outcome(self) -> Outcome:
        """What became of it."""

    @property
    def progress(self) -> Progress:
        """How far it got."""


Transport = Callable[[Request, Callable[[Attempt], None]], Ticket]
"""Begins one try. `done` is called exactly once, perhaps before this returns, unless the ticket is cancelled first.
Nothing that the network does makes it raise."""
