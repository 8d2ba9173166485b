"""A receiver of callbacks, in a process of its own, that verifies them with the `standardwebhooks` package.

async with receiving(SECRET) as receiver:
    ... receiver.url("/hook", "500", "200") ...        the first call is answered 500, all others 200
    call = await receiver.call(0)                      what the first one brought, as soon as it is there

What it can do instead of an answer: `hang`, `drip` (a head that never ends), `drip-body`, `bomb` (a body that never ends),
`close`. `301` leads to /stolen; `429-120` has a Retry-After of 120.
"""

import asyncio
import json
import os
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qs, quote, urlsplit

from standardwebhooks import Webhook, WebhookVerificationError

PATIENCE = 20.0
"""Seconds until what does not come is taken for lost."""

PIECE = b"x" * 65_536


class Call(NamedTuple):
    """One callback: its body, what the package said of its signature, its headers with lower-case names."""

    path: str
    body: str
    verified: bool
    headers: dict[str, str]


class Receiver:
    """The process, as the test sees it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.calls: list[Call] = []
        self.bombs: list[int] = []
        self._grew = asyncio.Condition()

    def url(self, path: str, *answers: str) -> str:
        """Where callbacks are answered so, one after the other, the last one for ever."""
        return f"http://127.0.0.1:{self.port}{path}?do={quote(','.join(answers) or '200')}"

    async def call(self, number: int) -> Call:
        """The call with this number, from 0."""
        async with asyncio.timeout(PATIENCE), self._grew:
            await self._grew.wait_for(lambda: len(self.calls) > number)
        return self.calls[number]

    async def bomb(self) -> int:
        """Bytes of the first bomb that were taken before the sender hung up."""
        async with asyncio.timeout(PATIENCE), self._grew:
            await self._grew.wait_for(lambda: bool(self.bombs))
        return self.bombs[0]

    async def follow(self, lines: asyncio.StreamReader) -> None:
        """Note what the process says."""
        async for line in lines:
            said = json.loads(line)
            async with self._grew:
                if "bomb" in said:
                    self.bombs.append(said["bomb"])
                else:
                    self.calls.append(Call(**said))
                self._grew.notify_all()


@asynccontextmanager
async def receiving(secret: str) -> AsyncIterator[Receiver]:
    """A receiver that has this secret."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.webhook_receiver", secret, stdin=pipe, stdout=pipe, limit=1 << 26
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            receiver = Receiver(int(await process.stdout.readline()))
        following = asyncio.create_task(receiver.follow(process.stdout))
        yield receiver
        process.stdin.close()
        async with asyncio.timeout(PATIENCE):
            await following
    finally:
        if process.returncode is None:
            process.stdin.close()
        await process.wait()


class Answerer(BaseHTTPRequestHandler):
    """What the process does with a request."""

    protocol_version = "HTTP/1.1"
    webhook: Webhook
    counts: ClassVar[Counter[str]] = Counter()
    speaking = threading.Lock()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        url = urlsplit(self.path)
        answers = parse_qs(url.query).get("do", ["200"])[0].split(",")
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.speaking:
            number = self.counts[url.path]
            self.counts[url.path] += 1
        self.say({"path": url.path, "body": body.decode(), "verified": self.verify(body, headers), "headers": headers})
        self.answer(*answers[min(number, len(answers) - 1)].split("-", 1))

    def verify(self, body: bytes, headers: dict[str, str]) -> bool:
        """What receivers are told to do."""
        try:
            self.webhook.verify(body, headers)
        except WebhookVerificationError:
            return False
        return True

    def answer(self, what: str, more: str = "") -> None:
        """Answer, or do something else."""
        self.close_connection = True
        match what:
            case "close":
                pass
            case "hang":
                threading.Event().wait()
            case "drip" if more == "body":
                self.begin(200, "Content-Length", "1000000")
                self.drip(b"x")
            case "drip":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
                self.drip(b"x")
            case "bomb":
                self.begin(200, "Content-Encoding", "gzip")
                self.say({"bomb": self.flood()})
            case "301":
                self.begin(301, "Location", "/stolen")
            case status:
                self.begin(int(status), "Retry-After", more) if more else self.begin(int(status), "Content-Length", "0")

    def begin(self, status: int, name: str, value: str) -> None:
        """The head."""
        self.send_response(status)
        self.send_header("Set-Cookie", "seen=1")
        self.send_header(name, value)
        self.end_headers()

    def drip(self, drop: bytes) -> None:
        """Say the same again and again, until nobody listens."""
        pause = threading.Event()
        try:
            while not pause.wait(0.05):
                self.wfile.write(drop)
        except OSError:
            pass

    def flood(self) -> int:
        """As drip, as fast as it goes; how many bytes went."""
        written = 0
        try:
            while True:
                self.wfile.write(PIECE)
                written += len(PIECE)
        except OSError:
            return written

    def say(self, line: dict[str, Any]) -> None:
        """Tell the test."""
        with self.speaking:
            print(json.dumps(line), flush=True)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  # the standard library's name for it
        """Nobody reads it."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100


if __name__ == "__main__":
    Answerer.webhook = Webhook(sys.argv[1])
    server = Server(("127.0.0.1", 0), Answerer)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)
