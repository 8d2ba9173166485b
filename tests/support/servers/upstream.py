"""An upstream on the standard library's http.server. Writes its port on a line, and ends with its standard input."""

import gzip
import hashlib
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

LARGE = b"0123456789abcdef" * (3 << 16)

numbers = count(1)


class Answerer(BaseHTTPRequestHandler):
    """The same paths as upstream.mjs."""

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.number = next(numbers)

    def answer(self) -> None:
        """For every method."""
        url = urlsplit(self.path)
        self.token = parse_qs(url.query).get("token", [""])[0]
        match url.path:
            case "/users/chunked":
                self.begin(200, ("Transfer-Encoding", "chunked"))
                if self.command != "HEAD":
                    for part in (b'{"way": ', b'"chunked"', b"}", b""):
                        self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            case "/users/gzip":
                self.say(gzip.compress(b'{"way": "gzip"}'), ("Content-Encoding", "gzip"))
            case "/users/large":
                self.say(LARGE, kind="text/plain")
            case "/users/none":
                self.begin(204)
            case "/users/unchanged":
                self.begin(304)
            case "/users/upload":
                self.say(self.digest(0.0))
            case "/users/slow-upload":
                self.say(self.digest(0.002))
            case _:
                self.say(b'{"way": "length"}')

    do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815  # the standard library's names for them

    def digest(self, pause: float) -> bytes:
        """Of the request's body, read with pauses in seconds."""
        left = int(self.headers["Content-Length"])
        sum_of_all = hashlib.sha256()
        while left:
            part = self.rfile.read(min(left, 1 << 16))
            left -= len(part)
            sum_of_all.update(part)
            time.sleep(pause)
        return json.dumps({"digest": sum_of_all.hexdigest()}).encode()

    def say(self, body: bytes, *fields: tuple[str, str], kind: str = "application/json") -> None:
        """A 200 with a content-length."""
        self.begin(200, ("Content-Length", str(len(body))), *fields, kind=kind)
        if self.command != "HEAD":
            self.wfile.write(body)

    def begin(self, status: int, *fields: tuple[str, str], kind: str = "application/json") -> None:
        """The head."""
        self.send_response(status)
        own = (("Content-Type", kind), ("X-Token", self.token), ("X-Connection", str(self.number)))
        for name, value in (*own, *fields):
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  # the standard library's name for it
        """Nobody reads it."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Answerer)
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    os._exit(0)
