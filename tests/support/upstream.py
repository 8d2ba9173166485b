"""A scripted upstream: raw HTTP/1.1 on asyncio, no HTTP library, so that it can be as wrong as a test wants.

It records every request and either holds it until the test answers, or answers at once from a script:

    async with ScriptedUpstream() as upstream:                       # holds every request
        task = asyncio.create_task(send(request_to(upstream.url)))
        exchange = await upstream.arrived(1)                         # the first request, wherever it came from
        assert exchange.arrival.target == "/users/1"
        exchange.answer(respond_json({"id": 1}))

    ScriptedUpstream(lambda arrival: respond(204))
    ScriptedUpstream(lambda arrival: b"HTTP/1.1 200 OK\\r\\n...")                               # bytes go out as they are
    ScriptedUpstream(lambda arrival: None if arrival.method == "POST" else respond(200))       # None holds
"""

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self, cast
from urllib.parse import quote

PATIENCE = 10.0
"""Seconds after which a test that waits for something that never comes is told so."""

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it came over the wire. `headers` keep their case and order; `connection` counts from 1."""

    method: str
    target: str
    headers: Fields
    body: bytes
    connection: int

    def values(self, name: str) -> list[str]:
        """Every value of the header field, in order; the name's case does not matter."""
        return [value for field, value in self.headers if field.lower() == name.lower()]

    def header(self, name: str) -> str | None:
        """The first value of the header field."""
        return next(iter(self.values(name)), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """Bytes to write in `parts`, `pause` seconds apart, and what to do with the connection after the last."""

    parts: tuple[bytes, ...] = ()
    then: Literal["keep", "close", "reset"] = "keep"
    pause: float = 0.0


Script = Callable[[Arrival], Answer | bytes | None]
"""What to answer; None holds the request until the test answers it."""


def respond(status: int = 200, body: bytes = b"", headers: Fields = ()) -> Answer:
    """A well-formed answer with a content-length; 204 and 304 have none."""
    framing = () if status in {204, 304} else (("Content-Length", str(len(body))),)
    head = "".join(f"{name}: {value}\r\n" for name, value in (*headers, *framing))
    return Answer((f"HTTP/1.1 {status} Scripted\r\n{head}\r\n".encode("latin-1") + body,))


def respond_json(value: Any, status: int = 200, headers: Fields = ()) -> Answer:
    """A well-formed JSON answer."""
    return respond(status, json.dumps(value).encode(), (("Content-Type", "application/json"), *headers))


def respond_chunked(*chunks: bytes, headers: Fields = ()) -> Answer:
    """A well-formed 200 with transfer-encoding: chunked, one write per chunk."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    start = f"HTTP/1.1 200 Scripted\r\n{head}Transfer-Encoding: chunked\r\n\r\n".encode("latin-1")
    return Answer((start, *(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks), b"0\r\n\r\n"))


def close(after: bytes = b"") -> Answer:
    """Write `after`, then close the connection (FIN)."""
    return Answer((after,), "close")


def reset(after: bytes = b"", pause: float = 0.0) -> Answer:
    """Write `after`, wait for `pause` seconds so that it arrives, then reset the connection (RST)."""
    return Answer((after, b""), "reset", pause)


def drip(raw: bytes, size: int = 1, pause: float = 0.01) -> Answer:
    """Write `raw` in pieces of `size` bytes with pauses in seconds between them."""
    return Answer(tuple(raw[start : start + size] for start in range(0, len(raw), size)), "keep", pause)


def refused_port() -> int:
    """A loopback port that refuses connections: it was free a moment ago."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return cast(int, unused.getsockname()[1])


class Exchange:
    """One request that arrived, and the connection to answer it on."""

    def __init__(self, arrival: Arrival, connection: "Connection") -> None:
        self.arrival = arrival
        self._connection = connection

    def answer(self, answer: Answer | bytes) -> None:
        """Send it; bytes go out as they are and the connection stays open."""
        self._connection.play(answer)

    async def gone(self) -> None:
        """Wait until the connection of this request is closed, by either side."""
        async with asyncio.timeout(PATIENCE):
            await self._connection.lost.wait()


class Connection(asyncio.Protocol):
    """One accepted connection: cuts what comes in into requests."""

    def __init__(self, upstream: "ScriptedUpstream") -> None:
        self._upstream = upstream
        self._received = b""
        self.lost = asyncio.Event()
        self.number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.number = self._upstream.accept(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._upstream.open.discard(self)
        self.lost.set()

    def data_received(self, received: bytes) -> None:
        self._received += received
        while (cut := cut_request(self._received, self.number, self._upstream.answer_at_head)) is not None:
            arrival, self._received = cut
            self._upstream.record(Exchange(arrival, self))

    def play(self, answer: Answer | bytes) -> None:
        """Write an answer: at once, or in a task where it has pauses."""
        answer = Answer((answer,)) if isinstance(answer, bytes) else answer
        if answer.pause:
            self._upstream.run(self._play_slowly(answer))
        else:
            self._transport.write(b"".join(answer.parts))
            self._end(answer)

    def abort(self) -> None:
        """Close at once, whatever is still to be written."""
        self._transport.abort()

    async def _play_slowly(self, answer: Answer) -> None:
        for part in answer.parts:
            if self._transport.is_closing():
                return
            self._transport.write(part)
            await asyncio.sleep(answer.pause)
        self._end(answer)

    def _end(self, answer: Answer) -> None:
        match answer.then:
            case "close":
                self._transport.close()
            case "reset":
                linger_for_nothing = struct.pack("ii", 1, 0)
                self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_nothing)
                self._transport.abort()
            case "keep":
                pass


def cut_request(received: bytes, connection: int, at_head: bool) -> tuple[Arrival, bytes] | None:
    """The first request and the bytes after it; None while it is incomplete. `at_head`: its body is not waited for."""
    head, found, rest = received.partition(b"\r\n\r\n")
    if not found:
        return None
    line, *lines = head.decode("latin-1").split("\r\n")
    method, target, _version = line.split(" ", 2)
    headers = tuple((name, value.strip(" \t")) for name, _, value in (text.partition(":") for text in lines))
    fields = {name.lower(): value for name, value in headers}
    if at_head:
        return Arrival(method, target, headers, b"", connection), b""
    if "chunked" in fields.get("transfer-encoding", ""):
        body, found, rest = rest.partition(b"0\r\n\r\n")
        return (Arrival(method, target, headers, body, connection), rest) if found else None
    length = int(fields.get("content-length", "0"))
    if len(rest) < length:
        return None
    return Arrival(method, target, headers, rest[:length], connection), rest[length:]


class ScriptedUpstream:
    """An upstream on a loopback port of its own, or on the unix socket at `path`, for the time of an `async with`.

    `on_connect(n)` may answer before anything was asked (close, reset, bytes). `answer_at_head` calls the script as soon as the
    head of a request is there; for tests where the body is not read. `connections` counts those ever accepted.
    """

    def __init__(
        self,
        script: Script = lambda _: None,
        *,
        on_connect: Callable[[int], Answer | None] = lambda _: None,
        answer_at_head: bool = False,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        path: str | None = None,
    ) -> None:
        self.exchanges: list[Exchange] = []
        self.connections = 0
        self.port = 0
        self.url = ""
        self.open: set[Connection] = set()
        self.answer_at_head = answer_at_head
        self._script = script
        self._on_connect = on_connect
        self._tls = tls
        self._host = host
        self._path = path
        self._arrived = asyncio.Event()
        self._playing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._path is not None:
            self._server = await loop.create_unix_server(lambda: Connection(self), self._path)
            self.port, self.url = 0, f"http+unix://{quote(self._path, safe='')}"
            return self
        self._server = await loop.create_server(lambda: Connection(self), self._host, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        self.url = f"{'https' if self._tls else 'http'}://{host}:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._playing:
            task.cancel()
        self._server.close()
        for connection in tuple(self.open):
            connection.abort()
        await self._server.wait_closed()

    @property
    def arrivals(self) -> list[Arrival]:
        """Every request so far, in the order of arrival."""
        return [exchange.arrival for exchange in self.exchanges]

    async def arrived(self, count: int) -> Exchange:
        """Wait until `count` requests have arrived; the exchange of the last of them."""
        try:
            async with asyncio.timeout(PATIENCE):
                while len(self.exchanges) < count:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise AssertionError(f"waited for request {count}, only {len(self.exchanges)} arrived") from None
        return self.exchanges[count - 1]

    def accept(self, connection: Connection) -> int:
        """Count a new connection and greet it."""
        self.connections += 1
        self.open.add(connection)
        if (greeting := self._on_connect(self.connections)) is not None:
            connection.play(greeting)
        return self.connections

    def record(self, exchange: Exchange) -> None:
        """Note a request and answer it if the script does."""
        self.exchanges.append(exchange)
        self._arrived.set()
        if (answer := self._script(exchange.arrival)) is not None:
            exchange.answer(answer)

    def run(self, playing: Any) -> None:
        """Keep a slow answer alive until it has ended or the upstream is closed."""
        task = asyncio.get_running_loop().create_task(playing)
        self._playing.add(task)
        task.add_done_callback(self._playing.discard)
