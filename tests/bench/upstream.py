"""The upstream of every measurement: answers any GET with 200 bytes of JSON, on a raw protocol so that it costs little.

    python -m tests.bench.upstream PORT

`/slow/<milliseconds>/…` waits first.
"""

import asyncio
import sys

BODY = b'{"id":42,"owner":{"id":7,"name":"Ada"},"text":"' + b"x" * 137 + b'"}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)


class Upstream(asyncio.Protocol):
    """One connection. Requests carry no body and are answered one after another."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer every complete request head."""
        *heads, self._buffer = (self._buffer + data).split(b"\r\n\r\n")
        for head in heads:
            path = head.split(b" ", 2)[1]
            if path.startswith(b"/slow/"):
                seconds = int(path.split(b"/")[2]) / 1000
                asyncio.get_running_loop().call_later(seconds, self._transport.write, ANSWER)
            else:
                self._transport.write(ANSWER)


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
