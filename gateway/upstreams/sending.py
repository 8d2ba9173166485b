"""A request on its way through the layers of its upstream, and what the layers are to each other.

inwards   start    each layer lets a request pass to the one inside it, or finishes it
outwards  finish   each layer takes notice of the outcome and passes it to the one outside it
inwards   cancel   each layer lets go of what it holds of a request that nobody waits for any more

Layers are linked once, and what is theirs of a request stands in its Sending: where all goes well no task, timer, future or
closure is made for it. A task each was measured to add a fifth to the cost of a request, a timer each half as much again.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.messages import Outcome, Request, Ticket
from gateway.upstreams.attempt import Attempt


class Outer(Protocol):
    """What is outside a layer."""

    def finish(self, sending: "Sending", outcome: Outcome) -> None:
        """Take the outcome of a request that was started here. Called once, unless that was cancelled."""


class Inner(Protocol):
    """What is inside a layer."""

    outer: Outer

    def start(self, sending: "Sending") -> None:
        """Let a request begin. `outer.finish` is called when it has ended, perhaps before this returns."""

    def cancel(self, sending: "Sending") -> None:
        """Let go of a request that was started and has not ended. What it holds is closed at once."""


class Layer(Inner, Outer, Protocol):
    """Something between the way in and the transport."""

    inner: Inner


class Trier(Protocol):
    """The layer that sees each try of a request."""

    def tried(self, sending: "Sending", attempt: Attempt) -> None:
        """A try is over."""


class Earlier:
    """The tries of a request before the one it is at. `started` is when that began (seconds of the clock)."""

    __slots__ = ("count", "maybe_processed", "started")

    def __init__(self) -> None:
        self.count = 0
        self.maybe_processed = False
        self.started = 0.0


class Ended:
    """The ticket of what has ended, or was not given one yet."""

    def cancel(self) -> None:
        """There is nothing left to end."""


ENDED = Ended()


class Sending:
    """A request on its way, and its ticket. `started` in seconds of the clock.

    `era` is the breaker's; `trier`, `ticket` (of the try or the pause that it is at) and `earlier` belong to the retries.
    """

    __slots__ = ("done", "earlier", "era", "first", "over", "request", "started", "ticket", "trier")

    era: int
    trier: Trier
    ticket: Ticket

    def __init__(self, first: Inner, request: Request, done: Callable[[Outcome], None], started: float) -> None:
        self.first = first
        self.request = request
        self.done = done
        self.started = started
        self.over = False
        self.earlier: Earlier | None = None

    def cancel(self) -> None:
        """Nobody wants to know any more."""
        if not self.over:
            self.over = True
            self.first.cancel(self)

    def tried(self, attempt: Attempt) -> None:
        """For the transport: a try is over."""
        self.trier.tried(self, attempt)


class Way:
    """The way in to an upstream: through `layers`, the first of them outermost, to `innermost`."""

    def __init__(self, layers: Sequence[Layer], innermost: Inner, clock: Callable[[], float]) -> None:
        self._clock = clock
        inner = innermost
        for layer in reversed(layers):
            layer.inner = inner
            inner.outer = layer
            inner = layer
        inner.outer = self
        self._first = inner

    def send_then(self, request: Request, done: Callable[[Outcome], None]) -> Sending:
        """The SendThen."""
        sending = Sending(self._first, request, done, self._clock())
        self._first.start(sending)
        return sending

    def finish(self, sending: Sending, outcome: Outcome) -> None:
        """It has come all the way back."""
        sending.over = True
        sending.done(outcome)
