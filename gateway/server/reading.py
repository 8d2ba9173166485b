"""Reading a request's body off its connection: at most so many bytes, in at most so many seconds, all of them accounted for."""

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from gateway.errors import Refusal
from gateway.messages import Reason
from gateway.server.body import check_size, check_type, inflate, read_encoding
from gateway.server.settings import EdgeSettings

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


async def read_body(
    request: web.BaseRequest, settings: EdgeSettings, hold: Callable[[int], None], is_json: bool = True
) -> bytes:
    """The body, inflated. `hold` is told of bytes before they are kept and may refuse them; `is_json`: it must be JSON.

    Raises a Refusal: 400, 408, 413 or 415. The head alone decides where it can, before the client sends the rest.
    """
    headers = request.headers
    if is_json:
        check_type(headers.get("content-type", ""))
    encoding = read_encoding(headers.get("content-encoding", ""))
    check_size(request.content_length or 0, settings.body)
    _say_continue(request)
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


def _say_continue(request: web.BaseRequest) -> None:
    if request.headers.get("expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(_CONTINUE)


async def read_pieces(
    request: web.BaseRequest, settings: EdgeSettings, longest: int, count: Callable[[int], None]
) -> AsyncIterator[bytes]:
    """The body as it arrives, no faster than it is taken; `count` is told of the bytes. At most `longest` of them.

    Raises a Refusal: 400, 408, 413 or 415. A client may take the body timeout for each piece: a large file takes as long as it
    takes.
    """
    if read_encoding(request.headers.get("content-encoding", "")):
        raise Refusal(Reason.UNSUPPORTED_ENCODING, "what is streamed here has no content encoding")
    check_size(request.content_length or 0, longest)
    _say_continue(request)
    size = 0
    while True:
        try:
            async with asyncio.timeout(settings.patience.body_timeout):
                piece = await request.content.readany()
        except TimeoutError:
            raise Refusal(Reason.REQUEST_TIMEOUT, "the body stopped arriving") from None
        except web.RequestPayloadError:
            raise Refusal(Reason.BAD_REQUEST, "the body's transfer coding is not valid") from None
        if not piece:
            return
        size += len(piece)
        check_size(size, longest)
        count(len(piece))
        yield piece


async def _read_all(request: web.BaseRequest, limit: int, hold: Callable[[int], None]) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while chunk := await request.content.readany():
        size += len(chunk)
        check_size(size, limit)
        hold(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)
