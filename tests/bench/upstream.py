"""The upstream of every measurement: it answers GETs and POSTs from memory, on a raw protocol, so that it costs little.

python -m tests.bench.upstream PORT [PORT …]

/small/…            200 bytes of JSON
/list/…             a list of 20 rows
/large/…            20 KB of JSON
/slow/<ms>/…        the 200 bytes, after so many milliseconds
/held/<count>/…     the 200 bytes, to all at once when `count` requests have come, over all ports
"""

import asyncio
import sys
from typing import cast

import orjson
import uvloop

SMALL = b'{"id":42,"owner":{"id":7,"name":"Ada"},"text":"' + b"x" * 150 + b'"}'
LIST = orjson.dumps({"data": [{"id": 1000 + row, "type": "widget", "name": f"n{row:02}"} for row in range(20)]})
LARGE = orjson.dumps({"id": 42, "rows": [{"id": row, "sku": f"SKU-{row:06}", "price": row * 1.25} for row in range(450)]})


def write_answer(body: bytes) -> bytes:
    """A whole response."""
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


ANSWERS = {b"small": write_answer(SMALL), b"list": write_answer(LIST), b"large": write_answer(LARGE)}


class Hold:
    """Requests that wait until there are enough of them."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Transport] = []

    def add(self, transport: asyncio.Transport, count: int) -> None:
        """Hold one more; the one that makes them `count` lets all of them go."""
        self._waiting.append(transport)
        if len(self._waiting) >= count:
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                one.write(ANSWERS[b"small"])


class Upstream(asyncio.Protocol):
    """One connection. Requests come one after another; what a POST carries is dropped."""

    def __init__(self, hold: Hold) -> None:
        self._hold = hold

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer every complete request."""
        self._buffer += data
        while True:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0] or 0) if head.startswith(b"POST") else 0
            if not end or len(rest) < length:
                return
            self._buffer = rest[length:]
            self._answer(head.split(b" ", 2)[1].split(b"/"))

    def _answer(self, segments: list[bytes]) -> None:
        match segments[1]:
            case b"slow":
                seconds = int(segments[2]) / 1000
                asyncio.get_running_loop().call_later(seconds, self._transport.write, ANSWERS[b"small"])
            case b"held":
                self._hold.add(self._transport, int(segments[2]))
            case kind:
                self._transport.write(ANSWERS[kind])


async def serve(ports: list[int]) -> None:
    """Serve until killed."""
    hold = Hold()
    loop = asyncio.get_running_loop()
    for port in ports:
        await loop.create_server(lambda: Upstream(hold), "127.0.0.1", port, backlog=2048)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve([int(port) for port in sys.argv[1:]]))
