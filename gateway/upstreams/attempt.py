"""What the transport reports of one try, and the shapes that the stack is made of.

A layer is `Start -> Start`, with callbacks and not coroutines, because where all goes well no task, timer or future is made for
a request below the top: a task each was measured to add a fifth to the cost of a request, a timer each half as much again.
"""

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from gateway.messages import Outcome, Request


class Progress(Enum):
    """How far one try got; only the transport can know, and what may be tried again hangs on it."""

    NOTHING_SENT = "nothing sent"
    NOTHING_ANSWERED = "sent, at least in part, and no answer began"
    ANSWERED = "an answer began"


class Ticket(Protocol):
    """Something that was started."""

    def cancel(self) -> None:
        """End it: what it holds is closed at once, and `done` is not called. If it has ended, end what followed from it."""


class Attempt(Protocol):
    """One try of a request, when it is over."""

    @property
    def outcome(self) -> Outcome:
        """What became of it."""

    @property
    def progress(self) -> Progress:
        """How far it got."""

    following: Ticket | None
    """What was done about it, if anything: cancelling the ticket of this try cancels that."""


class Ended:
    """The ticket of what ended before it was given one."""

    def cancel(self) -> None:
        """There is nothing left to end."""


ENDED = Ended()

Start = Callable[[Request, Callable[[Outcome], None]], Ticket]
"""Begins to send. `done` is called exactly once, perhaps before this returns, unless the ticket is cancelled first."""

Transport = Callable[[Request, Callable[[Attempt], None]], Ticket]
"""The same for one try. Nothing that the network does makes it raise."""

Layer = Callable[[Start], Start]
