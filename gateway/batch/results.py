"""What became of each operation, and of the batch."""

from gateway.batch.content import JSON, Content
from gateway.batch.operation import Operation
from gateway.errors import status_of
from gateway.jsontext import Record
from gateway.messages import Outcome, Response


class Result(Record, frozen=True):
    """What became of one operation or one forEach child.

    `target` and `started` (seconds of the clock) are None where nothing was sent; `duration` is seconds from ready to last
    byte; `item` is the index of a forEach child. `coalesced`: it shares the answer to another operation's request.
    A forEach operation has `items`, one result per item, and an outcome of its own making: 200 or 207.
    """

    operation: Operation
    upstream: str
    outcome: Outcome
    content: Content
    target: str | None = None
    started: float | None = None
    duration: float = 0.0
    item: int | None = None
    items: "tuple[Result, ...] | None" = None
    coalesced: bool = False

    @property
    def name(self) -> str | None:
        """The operation's name."""
        return self.operation.name

    @property
    def pointer(self) -> str:
        """Where the operation stands in the envelope."""
        return self.operation.pointer

    @property
    def method(self) -> str:
        """The operation's method."""
        return self.operation.method

    @property
    def queued(self) -> float:
        """Seconds spent waiting for a connection or a retry."""
        return self.outcome.queued

    @property
    def status(self) -> int:
        """The HTTP status, the upstream's or the gateway's."""
        outcome = self.outcome
        return outcome.status if isinstance(outcome, Response) else status_of(outcome.reason)

    @property
    def succeeded(self) -> bool:
        """Success is a status below 400, which no failure has."""
        outcome = self.outcome
        return isinstance(outcome, Response) and outcome.status < 400

    @property
    def holds_json(self) -> bool:
        """Whether a reference can read its body."""
        return self.content.kind is JSON


def as_coalesced(result: Result) -> Result:
    """The same, for an operation that shared the answer to another's request."""
    return Result(
        result.operation,
        result.upstream,
        result.outcome,
        result.content,
        result.target,
        result.started,
        result.duration,
        result.item,
        coalesced=True,
    )


class Finished(Record, frozen=True):
    """A batch that has ended, after `duration` seconds.

    `results` is flat, in the order asked, forEach children after their operation. `operations` and `failed` count every
    entry of the answer, children included; `depth` the operations in its longest chain.
    """

    operations: int
    failed: int
    duration: float
    results: tuple[Result, ...]
    depth: int = 1


def summarise(results: tuple[Result, ...], duration: float, depth: int = 1) -> Finished:
    """The whole batch from the results of its steps."""
    flat: list[Result] = []
    for result in results:
        flat.append(result)
        if result.items is not None:
            flat.extend(result.items)
    failed = 0
    for result in flat:
        if not result.succeeded:
            failed += 1
    return Finished(len(flat), failed, duration, tuple(flat), depth)
