"""What the transport reports of one try, and the two shapes the stack is made of."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import NamedTuple

from gateway.messages import Outcome, Request, Send


class Progress(Enum):
    """How far one try got; only the transport can know, and what may be tried again hangs on it."""

    NOTHING_SENT = "nothing sent"
    NOTHING_ANSWERED = "sent, at least in part, and no answer began"
    ANSWERED = "the head of an answer was read"


class Attempt(NamedTuple):
    """One try of a request."""

    outcome: Outcome
    progress: Progress


Transport = Callable[[Request], Awaitable[Attempt]]
"""Sends once. Like Send it never raises for what the network does, and cancelling it closes its connection."""

Layer = Callable[[Send], Send]
