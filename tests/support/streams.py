"""Reading streamed answers: in memory, and from a connection."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from tests.support.public_edge import RawClient


@dataclass
class HeldSink:
    """A Sink whose client reads when the test says so. `writes` are what it was given."""

    writes: list[bytes] = field(default_factory=list)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    gone: bool = False

    def __post_init__(self) -> None:
        self.reads.set()

    async def write(self, piece: bytes) -> None:
        """Take it, and wait for the client to read."""
        self.writes.append(piece)
        await self.reads.wait()
        if self.gone:
            raise ConnectionError


def read_lines(body: bytes) -> list[Any]:
    """The values of newline-delimited JSON; blank lines are none."""
    assert body.endswith(b"\n")
    return [json.loads(line) for line in body.split(b"\n") if line]


def read_events(body: bytes) -> list[tuple[str, Any]]:
    """Server-sent events as a browser reads them: type and parsed data."""
    events = []
    for block in body.decode().split("\n\n")[:-1]:
        fields = [line.partition(": ") for line in block.split("\n") if not line.startswith(":")]
        if fields:
            named = {name: value for name, _, value in fields}
            events.append((named["event"], json.loads(named["data"])))
    return events


@dataclass
class StreamClient:
    """Reads a chunked answer as it comes."""

    client: RawClient
    head: bytes = b""
    body: bytes = b""

    async def open(self) -> bytes:
        """The head."""
        self.head = await self.client.reader.readuntil(b"\r\n\r\n")
        return self.head

    async def chunk(self) -> bytes:
        """The next chunk; empty for the last. IncompleteReadError if the connection ends before it."""
        size = int(await self.client.reader.readuntil(b"\r\n"), 16)
        chunk = (await self.client.reader.readexactly(size + 2))[:-2]
        self.body += chunk
        return chunk

    async def line(self) -> Any:
        """The next line of newline-delimited JSON, None for a heartbeat. Lines that came with others are given one by one."""
        while b"\n" not in self.body:
            assert await self.chunk(), "the stream has ended"
        line, _, self.body = self.body.partition(b"\n")
        return json.loads(line) if line else None

    async def rest(self) -> bytes:
        """All that is still to come."""
        while await self.chunk():
            pass
        return self.body
