"""Sending through a Send that is awaited: each request is followed as a future until it has ended."""

import asyncio
from collections.abc import Callable

from gateway.messages import Failure, Outcome, Reason, Request, Send


class Awaiting:
    """A SendThen made of a Send. `closing` are requests that were cancelled and have not let go yet."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.closing: set[asyncio.Future[Outcome]] = set()

    def send_then(self, request: Request, done: Callable[[Outcome], None]) -> "Awaited":
        """The SendThen. `done` is never called before this returns."""
        return Awaited(self, asyncio.ensure_future(self._send(request)), done)


class Awaited:
    """A request that is awaited, and its ticket."""

    __slots__ = ("_done", "_future", "_over", "_owner")

    def __init__(self, owner: Awaiting, future: asyncio.Future[Outcome], done: Callable[[Outcome], None]) -> None:
        self._owner = owner
        self._future = future
        self._done = done
        self._over = False
        future.add_done_callback(self._end)

    def cancel(self) -> None:
        """Nobody wants the outcome any more."""
        self._over = True
        future = self._future
        if future.cancel():
            self._owner.closing.add(future)
            future.add_done_callback(self._owner.closing.discard)

    def _end(self, future: asyncio.Future[Outcome]) -> None:
        if not self._over:
            self._done(outcome_of(future))


def outcome_of(future: asyncio.Future[Outcome]) -> Outcome:
    """The outcome of a future that is done. An exception in it is a bug of the gateway's, and reported as such."""
    try:
        return future.result()
    except asyncio.CancelledError:
        return Failure(Reason.INTERNAL, "the request was cancelled")
    except Exception as bug:
        error = bug
    message = "sending a request failed in a way that is the gateway's fault"
    future.get_loop().call_exception_handler({"message": message, "exception": error, "future": future})
    return Failure(Reason.INTERNAL, message, maybe_processed=True)
