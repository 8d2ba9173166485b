"""Writing an answer to its connection, no faster than the client reads it."""

from aiohttp import web

from gateway.dialects.dialect import Encoded
from gateway.messages import Context, Headers

SLICE = 64 << 10
"""Bytes handed to the transport at a time. It copies what the socket does not take, so it gets little."""


def own_headers(context: Context, name: str) -> Headers:
    """What every answer says beside what it is. `name` stands for the server, because aiohttp would tell its version."""
    return (
        ("cache-control", "no-store"),
        ("vary", "accept, accept-encoding, origin"),
        ("x-request-id", context.request_id),
        ("server", name),
    )


async def write(request: web.BaseRequest, answer: Encoded, headers: Headers, is_last: bool) -> web.StreamResponse:
    """Send `answer` with `headers` added. Returns when the socket has it; `is_last` ends the connection then."""
    fields = (*answer.headers, *headers)
    body = answer.body
    if len(body) <= SLICE:
        response: web.StreamResponse = web.Response(status=answer.status, headers=fields, body=body)
    else:
        response = web.StreamResponse(status=answer.status, headers=fields)
        response.content_length = len(body)
    if is_last:
        response.force_close()
    await response.prepare(request)
    if len(body) > SLICE:
        view = memoryview(body)
        for start in range(0, len(body), SLICE):
            await response.write(view[start : start + SLICE])
    await response.write_eof()
    return response
