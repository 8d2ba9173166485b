"""What becomes of the bytes of an upstream, without a socket: one request on one connection of the wire client.

outcome = feed([b"HTTP/1.1 204 None\\r\\n", b"\\r\\n"])
assert outcome == Fed(Response(204, (), b""), again=True)
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, cast

from gateway.messages import Outcome, Request
from gateway.upstreams.attempt import Attempt
from gateway.upstreams.fields import ClientFields
from gateway.upstreams.wire.connection import Connection
from gateway.upstreams.wire.exchange import Exchange

LIMIT = 1 << 20
"""Bytes of a body, where a test does not say otherwise."""


class Fed(NamedTuple):
    """How a request ended. `again`: its connection takes another. `closes`: the upstream had to close for it to end."""

    outcome: Outcome
    again: bool = False
    closes: bool = False


class NoTransport(asyncio.Transport):
    """Takes what is written and throws it away; remembers that it was aborted."""

    def __init__(self, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self._protocol = protocol
        self.aborted = False

    def write(self, data: Any) -> None:
        """Nobody reads it."""

    def abort(self) -> None:
        """Every event loop tells the protocol later, and delivers nothing more."""
        self.aborted = True


class Room:
    """The venue of the exchange and the owner of the connection: neither waits for another."""

    label = "users (http://users)"

    def __init__(self, show_cookies: bool) -> None:
        self.fields = ClientFields(show_cookies)
        self.released: list[Connection] = []

    def release(self, connection: Connection) -> None:
        """Kept for the next request."""
        self.released.append(connection)

    def forget(self, exchange: Exchange) -> None:
        """Nothing waits here."""

    def closed(self, connection: Connection) -> None:
        """It is known by `closing`."""


class Line:
    """One connection on which requests are answered one after another by the bytes that a test feeds."""

    def __init__(self, limit: int = LIMIT, *, show_cookies: bool = False) -> None:
        self._room = Room(show_cookies)
        self.connection = Connection(self._room, limit)
        self.transport = NoTransport(cast(asyncio.Protocol, self.connection))
        self.connection.connection_made(self.transport)

    def ask(self, pieces: Iterable[bytes], method: str = "GET", watch: Callable[[], None] = lambda: None) -> Fed:
        """Send a request, feed `pieces`, then the end of the stream if that is needed. `watch` is called after each piece."""
        attempts: list[Attempt] = []
        request = Request("users", method, "/", (), None, 1e9)
        self._room.released.clear()
        Exchange(self._room, request, b"", attempts.append).send_on(self.connection)
        for piece in pieces:
            if self.transport.aborted:
                break
            self.connection.data_received(piece)
            watch()
        closes = not attempts
        again = bool(self._room.released) and not self.connection.closing
        if closes:
            self.connection.eof_received()
        (attempt,) = attempts
        return Fed(attempt.outcome, again, closes)


def feed(pieces: Iterable[bytes], method: str = "GET", limit: int = LIMIT) -> Fed:
    """How one request on a new connection ends."""
    return Line(limit).ask(pieces, method)
