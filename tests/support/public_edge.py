"""A public edge on a free port whose batches a test answers by hand, and a client that sends exactly the bytes it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import ClassVar, cast

from gateway.batch.results import Finished
from gateway.dialects.dialect import Asked, Dialect, Encoded
from gateway.dialects.registry import DIALECTS
from gateway.errors import Refusal
from gateway.execution.budget import Budget
from gateway.messages import Context
from gateway.pipeline import Answer
from gateway.places.place import Places, Takes
from gateway.server.context import Trust
from gateway.server.edge import PublicEdge
from gateway.server.exchange import Exchange
from gateway.server.settings import EdgeSettings, Patience
from gateway.server.visit import Wiring

NOTHING_RUN = Finished(0, 0, 0.0, ())


@dataclass
class Arrived:
    """One request that reached a place. It is answered when the test sets `reply`."""

    body: bytes
    dialect: Dialect
    context: Context
    reply: "asyncio.Future[Answer]"
    query: str = ""


@dataclass
class FakeEngine:
    """Answers every batch with `body` at once, or holds it until released."""

    body: bytes = b"{}"
    holds: bool = False
    asked: list[Arrived] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: int = 0

    async def ask(self, request: Asked, dialect: Dialect, context: Context) -> Answer:
        """Stands for the pipeline."""
        asked = Arrived(request.body, dialect, context, asyncio.get_running_loop().create_future(), request.query)
        self.asked.append(asked)
        self.arrived.set()
        if not self.holds:
            asked.reply.set_result(answer(self.body))
        try:
            return await asked.reply
        except asyncio.CancelledError:
            self.cancelled += 1
            return answer(b"", 499)


def answer(body: bytes, status: int = 200) -> Answer:
    """An answer to a batch."""
    return Answer(status, (("content-type", "application/json"),), body, NOTHING_RUN)


@dataclass
class FakePlace:
    """Takes the batches of a dialect to a fake engine."""

    takes: ClassVar[Takes] = Takes.JSON
    spoken: Dialect
    engine: FakeEngine

    @property
    def dialect(self) -> str:
        """The dialect's name."""
        return self.spoken.name

    async def serve(self, asked: Asked, context: Context) -> Answer:
        """As the engine says."""
        return await self.engine.ask(asked, self.spoken, context)

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """As the dialect says."""
        return self.spoken.refuse(refusal, request_id)


class RunningEdge:
    """The edge, what it asked, what it reported."""

    def __init__(self, engine: FakeEngine, settings: EdgeSettings, buffered: int, places: Places | None = None) -> None:
        self.engine = engine
        self.budget = Budget(buffered)
        self.exchanges: list[Exchange] = []
        self._reported = asyncio.Event()
        self._clients: list[RawClient] = []
        fakes = {path: {"POST": FakePlace(dialect, engine)} for path, dialect in DIALECTS.items()}
        self.edge = PublicEdge(Wiring(places or fakes, self.budget, self._report, settings))
        self.port = 0

    def _report(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        self._reported.set()

    async def start(self) -> None:
        """Listen."""
        self.port = await self.edge.listen("127.0.0.1", 0)

    async def stop(self) -> None:
        """End every connection, from both sides."""
        await self.edge.close(0.0)
        for client in self._clients:
            await client.leave()

    async def exchange(self, count: int = 1) -> Exchange:
        """The `count`-th request that is over."""
        while len(self.exchanges) < count:
            self._reported.clear()
            await self._reported.wait()
        return self.exchanges[count - 1]

    async def connect(self) -> "RawClient":
        """A connection of a client."""
        client = RawClient(*await asyncio.open_connection("127.0.0.1", self.port))
        self._clients.append(client)
        return client

    async def send(self, sent: bytes) -> "Received":
        """Send bytes on a new connection, and read one answer."""
        client = await self.connect()
        client.write(sent)
        return await client.receive()


@asynccontextmanager
async def running_edge(
    engine: FakeEngine | None = None,
    *,
    patience: Patience | None = None,
    body: int = 1 << 20,
    buffered: int = 256 << 20,
    trust: Trust | None = None,
    places: Places | None = None,
) -> AsyncIterator[RunningEdge]:
    """An edge that listens while the test runs, before `places` or, if there are none, before `engine`."""
    settings = EdgeSettings(trust or Trust("gateway"), body, patience or Patience())
    running = RunningEdge(engine or FakeEngine(), settings, buffered, places)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


@dataclass(frozen=True)
class Received:
    """An answer as it came; header names in lower case."""

    version: str
    status: int
    headers: dict[str, str]
    body: bytes


class RawClient:
    """A client that sends what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def stop_reading(self) -> None:
        """Take no more of what the gateway sends than the system's buffers do."""
        cast(asyncio.Transport, self.writer.transport).pause_reading()

    def go_on_reading(self) -> None:
        """Take it again."""
        cast(asyncio.Transport, self.writer.transport).resume_reading()

    def write(self, sent: bytes) -> None:
        """Send these bytes."""
        self.writer.write(sent)

    async def receive(self) -> Received:
        """Read one whole answer; 1xx answers are skipped. IncompleteReadError if the connection ends before it."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status_line, *lines = head[:-4].split("\r\n")
        version, status, *_ = status_line.split(" ")
        if status.startswith("1"):
            return await self.receive()
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await self.reader.readexactly(int(headers.get("content-length", 0)))
        return Received(version, int(status), headers, body)

    async def is_closed(self) -> bool:
        """Wait for the end of the connection; True if nothing came before it."""
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True

    async def leave(self) -> None:
        """Be gone, whatever is still on its way."""
        self.writer.transport.abort()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


def post(body: bytes = b"{}", path: str = "/batch", **headers: str) -> bytes:
    """A request with a body. Header names have underscores for dashes; the defaults can be overridden."""
    fields = {"host": "gateway.test", "content-type": "application/json", "content-length": str(len(body))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body
