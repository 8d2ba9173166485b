"""One connection to an upstream."""

import asyncio
from typing import Protocol, cast

from gateway.messages import Reason
from gateway.upstreams.wire.broken import Broken
from gateway.upstreams.wire.heads import Heads
from gateway.upstreams.wire.reader import AnswerReader

SLICE = 64 << 10
"""Bytes of a request's body that are handed over at a time: an upstream that does not read costs no more than a few of them."""


class Call(Protocol):
    """What a connection is working on. Of the first three one is called, once, unless the connection is aborted."""

    def answered(self, connection: "Connection") -> None:
        """The answer is complete in `connection.reader`."""

    def broken(self, connection: "Connection", error: Broken) -> None:
        """The answer cannot be used; the connection is closed."""

    def lost(self, connection: "Connection", error: Exception | None) -> None:
        """The connection has gone before the answer was complete."""

    @property
    def until(self) -> float:
        """When to look whether its time is over."""

    def end_wait(self, now: float) -> None:
        """It waits for a place no more, whatever comes next."""

    def look(self, now: float) -> None:
        """End it if its time is over."""

    def fail(self, reason: Reason, what: str) -> None:
        """End it for this reason."""


class Owner(Protocol):
    """What a connection belongs to."""

    def closed(self, connection: "Connection") -> None:
        """The connection is no more. Comes before the last word to its call."""


class Connection:
    """Writes a request, reads its answer, tells its call. An `asyncio.Protocol` by its methods.

    `closing`: it takes no more requests. `expires` and `retires` are for its owner to note until when it may idle and be used,
    `call` is for its owner to look at.
    """

    __slots__ = ("_owner", "_paused", "_transport", "_unsent", "call", "closing", "expires", "reader", "retires")

    def __init__(self, owner: Owner, limit: int, heads: Heads | None = None) -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._unsent: memoryview | None = None
        self._paused = False
        self.call: Call | None = None
        self.closing = False
        self.expires = self.retires = 0.0
        self.reader = AnswerReader(limit, heads)

    def send(self, call: Call, method: str, head: bytes, body: bytes | None) -> None:
        """Send a request on this idle connection."""
        transport = self._transport
        if transport is None:
            raise RuntimeError("a connection is used before it was made")
        self.call = call
        self.reader.begin(method)
        if not body:
            transport.write(head)
        elif len(body) <= SLICE:
            transport.write(head + body)
        else:
            transport.write(head)
            self._unsent = memoryview(body)
            self._write_on(transport)

    def abort(self) -> None:
        """Close at once, whatever is unsent. The call is not told."""
        self.call = self._unsent = None
        if not self.closing:
            self.closing = True
            self._owner.closed(self)
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """There is a connection now, unless its owner has given it up in the meantime."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        if self.closing:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Bytes. On an idle connection they answer nothing, and nobody can tell what else may follow: it is closed."""
        call = self.call
        if call is None:
            self.abort()
            return
        reader = self.reader
        try:
            reader.feed(data)
        except Broken as error:
            self.abort()
            call.broken(self, error)
            return
        if reader.ended:
            if self._unsent is not None or reader.surplus or not reader.keep_alive:
                self.abort()
            self.call = None
            call.answered(self)

    def eof_received(self) -> bool:
        """The upstream sends no more. What it was not sent yet would never be answered."""
        self._lose(None)
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._lose(error)
        self._transport = None

    def pause_writing(self) -> None:
        """The upstream reads more slowly than it is sent to."""
        self._paused = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._paused = False
        if self._transport is not None:
            self._write_on(self._transport)

    def _write_on(self, transport: asyncio.Transport) -> None:
        while self._unsent is not None and not self._paused:
            part, rest = self._unsent[:SLICE], self._unsent[SLICE:]
            self._unsent = rest if len(rest) else None
            transport.write(part)

    def _lose(self, error: Exception | None) -> None:
        call = self.call
        self.abort()
        if call is None:
            return
        if error is None and self.reader.finish():
            call.answered(self)
        else:
            call.lost(self, error)
