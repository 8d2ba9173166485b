"""Writing an answer to its connection, no faster than the client reads it.

The head is spelled here, and goes out together with a small body: an aiohttp Response, which keeps its headers in a multidict
and asks it for each of them, was a sixth of what a batch of one costs outside the pipeline.
"""

import re
import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from aiohttp import HttpVersion, HttpVersion10, HttpVersion11, web

from gateway.dialects.dialect import Encoded
from gateway.messages import Headers

SLICE = 64 << 10
"""Bytes handed to the transport at a time. It copies what the socket does not take, so it gets little."""

_FOR_CACHES = (("cache-control", "no-store"), ("vary", "accept, accept-encoding, origin"))
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Written(web.StreamResponse):
    """An answer that is on its way. aiohttp would send it, but all there is left to ask is whether the connection goes on."""

    def __init__(self, goes_on: bool) -> None:
        super().__init__()
        self._goes_on = goes_on

    @property
    def keep_alive(self) -> bool:
        """Whether the connection waits for another request."""
        return self._goes_on

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing: the head has been written."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing: the body has been written."""


GOING_ON = Written(True)
LAST = Written(False)


def own_headers(request_id: str, name: str) -> Headers:
    """What every answer says beside what it is. `name` stands for the server, because aiohttp would tell its version."""
    return (*_FOR_CACHES, ("x-request-id", request_id), ("server", name))


async def write(request: web.BaseRequest, answer: Encoded, request_id: str, name: str, is_last: bool) -> Written:
    """Send `answer`, which is not empty, with our own headers added; a HEAD gets the head only (RFC 9110 section 9.3.2).

    Returns when the socket has it; `is_last` ends the connection then. ConnectionError if the client has gone.
    """
    goes_on = request.keep_alive and not is_last
    framing = f"Content-Length: {len(answer.body)}\r\n"
    head = spell_head(request.version, answer, framing, request_id, name, goes_on)
    body = b"" if request.method == "HEAD" else answer.body
    if len(body) <= SLICE:
        await request.writer.write_eof(head + body)
    else:
        await _write_slices(request, head, body)
    return GOING_ON if goes_on else LAST


async def _write_slices(request: web.BaseRequest, head: bytes, body: bytes) -> None:
    await request.writer.write(head)
    view = memoryview(body)
    for start in range(0, len(body), SLICE):
        await request.writer.write(view[start : start + SLICE])
    await request.writer.write_eof()


def spell_head(version: HttpVersion, answer: Encoded, framing: str, request_id: str, name: str, goes_on: bool) -> bytes:
    """The head of an answer; `framing` are the lines that say where the body ends.

    `request_id` holds no control characters: context.py takes none that does.
    """
    connection = ""
    if goes_on and version == HttpVersion10:
        connection = "Connection: keep-alive\r\n"
    elif not goes_on and version == HttpVersion11:
        connection = "Connection: close\r\n"
    head = (
        f"{_spell_start(version, answer.status, answer.headers)}x-request-id: {request_id}\r\n{_spell_server(name)}"
        f"{framing}Date: {_spell_date(int(time.time()))}\r\n{connection}\r\n"
    )
    return head.encode()


@lru_cache(maxsize=256)
def _spell_start(version: HttpVersion, status: int, headers: Headers) -> str:
    """The status line and the headers that many answers share."""
    status_line = f"HTTP/{version.major}.{version.minor} {status} {_PHRASES.get(status, '')}\r\n"
    return status_line + "".join([_spell_field(name, value) for name, value in (*headers, *_FOR_CACHES)])


@lru_cache(maxsize=1)
def _spell_server(name: str) -> str:
    return _spell_field("server", name)


@lru_cache(maxsize=1)
def _spell_date(second: int) -> str:
    """RFC 9110 section 5.6.7."""
    return formatdate(second, usegmt=True)


def _spell_field(name: str, value: str) -> str:
    """ValueError if it would become more than one field."""
    if _CONTROL.search(value):
        raise ValueError(f"the value of {name} holds control characters")
    return f"{name}: {value}\r\n"
