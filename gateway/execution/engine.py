"""What running a batch takes, gathered once by whoever builds the process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from gateway.batch.compile import Rules
from gateway.batch.routes import RouteTable
from gateway.execution.budget import Budget
from gateway.messages import Reason, Send, SendThen


class LiveRun(Protocol):
    """A batch that is running."""

    def finish_now(self, reason: Reason, detail: str) -> None:
        """End it with what it has: everything unfinished fails with `reason`."""


@dataclass(frozen=True, slots=True)
class Engine:
    """`clock` is monotonic seconds; `budget` counts the bytes of all bodies held; `runs` are the batches running now.

    `send_then` is `send` with a function to call, where there is such a one: a future and a turn of the event loop for each
    request were measured to add a twentieth to its cost.
    """

    send: Send
    routes: RouteTable
    rules: Rules
    clock: Callable[[], float]
    budget: Budget
    runs: set[LiveRun] = field(default_factory=set)
    send_then: SendThen | None = None
