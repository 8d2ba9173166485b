"""Reading a request's body off its connection: at most so many bytes, in at most so many seconds, all of them accounted for."""

import asyncio
from collections.abc import Callable

from aiohttp import web

from gateway.errors import Refusal
from gateway.messages import Reason
from gateway.server.body import check_size, check_type, inflate, read_encoding
from gateway.server.settings import EdgeSettings

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def read_body(request: web.BaseRequest, settings: EdgeSettings, hold: Callable[[int], None]) -> bytes:
    """The body, inflated. `hold` is told of bytes before they are kept and may refuse them.

    Raises a Refusal: 400, 408, 413 or 415. The head alone decides where it can, before the client sends the rest.
    """
    headers = request.headers
    check_type(headers.get("content-type", ""))
    encoding = read_encoding(headers.get("content-encoding", ""))
    check_size(request.content_length or 0, settings.body)
    if headers.get("expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(_CONTINUE)
    try:
        if request.content.is_eof():  # it came with the head, as small ones do: nothing to wait for, and no timer to pay for
            body = request.content.read_nowait()
            check_size(len(body), settings.body)
            hold(len(body))
        else:
            async with asyncio.timeout(settings.patience.body_timeout):
                body = await _read_all(request, settings.body, hold)
    except TimeoutError:
        raise Refusal(Reason.REQUEST_TIMEOUT, "the body did not arrive in time") from None
    except web.RequestPayloadError:
        raise Refusal(Reason.BAD_REQUEST, "the body's transfer coding is not valid") from None
    if encoding:
        body = inflate(body, encoding, settings.body)
        hold(len(body))
    return body


async def _read_all(request: web.BaseRequest, limit: int, hold: Callable[[int], None]) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := await request.content.readany():
        size += len(chunk)
        check_size(size, limit)
        hold(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)
