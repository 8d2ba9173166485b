"""Connections of clients, and the watchdog over them.

aiohttp waits for ever for the rest of a request head and for a client to read its answer, and has no limit of connections;
those are here. What it says about malformed requests is text that echoes the bytes; that is replaced here.
"""

import asyncio
from asyncio import BaseTransport, Transport
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import cast

from aiohttp import StreamReader, web
from aiohttp.http import RawRequestMessage

from gateway.dialects.problem import encode_refusal
from gateway.errors import Refusal
from gateway.messages import Reason
from gateway.server.settings import Patience

_LINGERING = 2.0
"""Seconds to go on reading, and dropping, the body of a request refused early, so that the client gets to read why."""

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Malformed = Callable[[web.BaseRequest, int], web.StreamResponse]
"""What to answer to a request that could not be parsed, or whose handler crashed (then the status is 500)."""


class Phase(Enum):
    """What a connection is doing. Only a request the gateway works on is the gateway's own turn."""

    SILENT = "has sent nothing yet"
    HEAD = "has sent part of a request head"
    SERVING = "is being served"
    IDLE = "is kept alive between requests"


# Python 3.11 takes seven times as long to find a member by its class, and a request needs five of them.
_SILENT, _HEAD, _SERVING, _IDLE = Phase


class Connection(web.RequestHandler):
    """One client connection, aiohttp's, with a note of what it is doing and since when (loop time)."""

    __slots__ = ("_body", "_clients", "_unsent", "_unsent_since", "phase", "since", "wire")

    def __init__(self, clients: "Clients", loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            clients,
            loop=loop,
            keepalive_timeout=clients.patience.keepalive_timeout,
            access_log=None,  # type: ignore[arg-type]  # None is how aiohttp is told to write no log of its own
            auto_decompress=False,
            lingering_time=_LINGERING,
        )
        self._clients = clients
        self._body: StreamReader | None = None
        self.wire: Transport | None = None
        self.phase = _SILENT
        self.since = 0.0
        self._unsent = 0
        self._unsent_since = 0.0

    def connection_made(self, transport: BaseTransport) -> None:
        wire = cast(Transport, transport)
        if self._clients.is_full():
            wire.write(_say_busy())
            wire.close()
            self.force_close()
            return
        self.wire = wire
        self.since = self._loop.time()
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.wire = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.phase is _IDLE:
            self.since = self._loop.time()
        if self.phase is not _SERVING:
            self.phase = _HEAD
        super().data_received(data)
        if self._body is not None and not self._body.is_eof() and self._is_broken():
            self._body.set_exception(web.RequestPayloadError())

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Go on reading, if reading was paused. aiohttp asks for it with every piece of a body that is read.

        Unasked it would parse no bytes and resume what goes on anyway, twice in a request.
        """
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def _is_broken(self) -> bool:
        """Whether the bytes just received broke the rules. aiohttp notes one more request then, and leaves a reader waiting."""
        return bool(self._messages) and not isinstance(self._messages[-1][0], RawRequestMessage)

    def resume_writing(self) -> None:
        self._unsent = 0
        super().resume_writing()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002
        message: str | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        """Answer without saying what the bytes were; aiohttp's own answer and log line quote them."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun, another cannot follow")
        response = self._clients.malformed(request, status)
        response.force_close()
        return response

    def begin(self, body: StreamReader) -> None:
        """A request has arrived and is worked on."""
        self.phase = _SERVING
        self._body = body

    def end(self) -> None:
        """Its answer has been handed to the socket."""
        self.phase = _IDLE
        self.since = self._loop.time()
        self._body = None

    def is_overdue(self, now: float, patience: Patience) -> bool:
        """Whether it has sent no whole request head, or has read nothing of what is waiting for it, for too long."""
        if self.wire is None:
            return False
        unsent = self.wire.get_write_buffer_size()
        if not self._unsent or unsent < self._unsent:
            self._unsent_since = now
        self._unsent = unsent
        if unsent and now - self._unsent_since > patience.write_timeout:
            return True
        return self.phase in (_SILENT, _HEAD) and now - self.since > patience.header_timeout


def _say_busy() -> bytes:
    """A whole 503 for a connection that gets nothing else."""
    busy = encode_refusal(Refusal(Reason.OVERLOADED, "too many connections are open", headers=(("retry-after", "1"),)), "-")
    fields = "".join(f"{name}: {value}\r\n" for name, value in busy.headers)
    head = f"HTTP/1.1 503 Service Unavailable\r\n{fields}connection: close\r\ncontent-length: {len(busy.body)}\r\n\r\n"
    return head.encode() + busy.body


class Clients(web.Server):
    """All client connections of a listener."""

    def __init__(self, handler: Handler, malformed: Malformed, patience: Patience) -> None:
        super().__init__(handler, handler_cancellation=True)
        self.patience = patience
        self.malformed = malformed
        self.open: set[Connection] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._emptied = asyncio.Event()

    def __call__(self) -> Connection:
        return Connection(self, self._loop)

    def connection_made(self, handler: web.RequestHandler, transport: Transport) -> None:
        super().connection_made(handler, transport)
        if isinstance(handler, Connection):
            self.open.add(handler)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        if isinstance(handler, Connection):
            self.open.discard(handler)
            self._emptied.set()

    def is_full(self) -> bool:
        """Whether one connection more would be too many."""
        return len(self.open) >= self.patience.connections

    def watch(self) -> None:
        """End overdue connections, now and every `sweep_interval`, until `release`."""
        now = self._loop.time()
        for connection in list(self.open):
            if connection.is_overdue(now, self.patience) and connection.wire is not None:
                connection.wire.abort()
        self._timer = self._loop.call_later(self.patience.sweep_interval, self.watch)

    def close_idle(self) -> None:
        """Close the connections on which no request has begun."""
        for connection in list(self.open):
            if connection.phase in (_SILENT, _IDLE):
                connection.force_close()

    async def release(self, timeout: float) -> None:
        """Give open connections `timeout` seconds to take the rest of their answers, then cut them off."""
        try:
            async with asyncio.timeout(timeout):
                while self.open:
                    self._emptied.clear()
                    await self._emptied.wait()
        except TimeoutError:
            for connection in list(self.open):
                if connection.wire is not None:
                    connection.wire.abort()
        if self._timer is not None:
            self._timer.cancel()
