"""One request to the public edge, from its head to the last byte of its answer.

A  is it a batch at all: version, path, method, not our own echo
B  is there room for another
C  read its body
D  run it
E  write the answer, or let it be written while it is made
F  report, whatever happened
"""

import os
import time
from asyncio import CancelledError
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from aiohttp import web

from gateway.dialects.dialect import Asked, Encoded
from gateway.dialects.problem import encode_refusal
from gateway.errors import Refusal, status_of
from gateway.execution.budget import Budget
from gateway.messages import Reason
from gateway.pipeline import Answer, Stream
from gateway.places.place import Place, Places, Takes, Upload
from gateway.places.table import Found, PlaceTable
from gateway.server.context import ENTROPY_BYTES, has_come_through, make_context, read_fields
from gateway.server.exchange import Exchange, Report
from gateway.server.reading import read_body, read_pieces
from gateway.server.settings import EdgeSettings
from gateway.server.stream import StreamedBody
from gateway.server.writing import LAST, write

SPOKEN = ((1, 0), (1, 1))
_ENDS_CONNECTION = frozenset({Reason.UNSUPPORTED_VERSION, Reason.REQUEST_TIMEOUT, Reason.BAD_REQUEST, Reason.PAYLOAD_TOO_LARGE})
_GONE = status_of(Reason.CLIENT_GONE)
_BODILESS = frozenset({"GET", "HEAD"})
_RETRY_SOON = (("retry-after", "1"),)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a visit needs of the rest of the gateway. `report` gets every request that is over."""

    places: Places
    budget: Budget
    report: Report
    settings: EdgeSettings
    table: PlaceTable = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", PlaceTable(self.places))


class Visit:
    """A request being served."""

    __slots__ = (
        "_answer",
        "_bug",
        "_bytes_in",
        "_captured",
        "_context",
        "_fields",
        "_held",
        "_methods",
        "_place",
        "_refusal",
        "_request",
        "_route",
        "_started",
        "_streamed",
        "_wiring",
        "_written",
    )

    def __init__(self, request: web.BaseRequest, wiring: Wiring) -> None:
        self._request = request
        self._wiring = wiring
        self._started = time.monotonic()
        self._fields = read_fields(request.raw_headers)
        self._context = make_context(
            self._fields, request.remote or "", wiring.settings.trust, time.time(), os.urandom(ENTROPY_BYTES)
        )
        path = request.rel_url.raw_path
        self._route, self._methods, self._captured = wiring.table.find(path) or Found(path, {})
        self._place: Place | None = _choose(self._methods, request.method)
        self._held = 0
        self._bytes_in = 0
        self._answer: Answer | None = None
        self._refusal: Refusal | None = None
        self._bug: Exception | None = None
        self._written: Encoded | None = None
        self._streamed: StreamedBody | None = None

    async def serve(self, is_last: Callable[[], bool]) -> web.StreamResponse:
        """Answer. Cancelled when the client goes; whatever happens, the bytes held are given back.

        `is_last` is asked when the answer is ready: whether the connection is to end with it.
        """
        try:
            reply = await self._reply()
            if self._answer is not None and self._answer.stream is not None and self._refusal is None:
                return await self._stream(self._answer.stream, reply, is_last)  # E
            if reply.status == _GONE:
                return web.Response(status=_GONE)
            ends = is_last() or (self._refusal is not None and self._refusal.reason in _ENDS_CONNECTION)
            name = self._wiring.settings.trust.name
            response = await write(self._request, reply, self._context.request_id, name, ends)  # E
            self._written = reply
            return response
        except ConnectionError:
            # Left to aiohttp it would become a 500; a response that nobody can take makes it close the connection.
            return web.Response(status=_GONE)
        finally:
            self._wiring.budget.release(self._held)
            self._wiring.report(self._exchange())  # F

    async def _reply(self) -> Encoded:
        wiring = self._wiring
        try:
            place = self._check_head()  # A
            if wiring.budget.is_nearly_spent():  # B
                raise Refusal(Reason.OVERLOADED, "too many bytes are held for other batches", headers=_RETRY_SOON)
            self._answer = answer = await place.serve(await self._ask(place), self._context)  # D
            # The operations have been sent: an answer there is no room for is a 507, not a 503 that asks to be tried again.
            self._hold(len(answer.body), Reason.ANSWER_TOO_LARGE)
            return Encoded(answer.status, answer.headers, answer.body)
        except (CancelledError, ConnectionError):
            raise
        except Refusal as refusal:
            return self._refuse(refusal)
        except Exception as bug:
            self._bug = bug
            return self._refuse(Refusal(Reason.INTERNAL, "the gateway failed; its log says why under this request id"))

    # C
    async def _ask(self, place: Place) -> Asked:
        request, settings = self._request, self._wiring.settings
        body, stream = b"", None
        if place.takes is Takes.STREAM:
            stream = read_pieces(request, settings, cast(Upload, place).longest, self._count)
        elif place.takes is not Takes.NOTHING and request.method not in _BODILESS:
            body = await read_body(request, settings, self._hold, is_json=place.takes is Takes.JSON)
            self._bytes_in = len(body)
        url = request.rel_url
        return Asked(body, url.raw_query_string, self._fields, self._captured, stream, request.method, url.raw_path)

    def _count(self, size: int) -> None:
        self._bytes_in += size

    async def _stream(self, stream: Stream, reply: Encoded, is_last: Callable[[], bool]) -> web.StreamResponse:
        """Let an answer be written while it is made. One that a bug cuts short has no end, for the client to see."""
        name = self._wiring.settings.trust.name
        length = None if self._answer is None else self._answer.length
        self._streamed = body = StreamedBody(self._request, reply, self._context.request_id, name, is_last(), length)
        try:
            self._answer = ended = await stream(body)
        except (CancelledError, ConnectionError):
            raise
        except Exception as bug:
            self._bug = bug
            self._refusal = Refusal(Reason.INTERNAL, "the gateway failed while the answer was being written")
            self._written = Encoded(self._refusal.status, (), b"")
            return LAST
        if ended.status == _GONE:
            return web.Response(status=_GONE)
        response = await body.end(ended.body, is_last())
        self._written = reply
        return response

    def _check_head(self) -> Place:
        if self._request.version not in SPOKEN:
            raise Refusal(Reason.UNSUPPORTED_VERSION, "HTTP/1.1 and HTTP/1.0 are spoken here")
        if self._place is None:
            raise Refusal(Reason.NOT_FOUND, f"batches are taken at {', '.join(self._wiring.table.routes)}")
        if self._request.method not in self._methods:
            allowed = ", ".join(self._methods)
            raise Refusal(Reason.METHOD_NOT_ALLOWED, f"{self._route} takes {allowed}", headers=(("allow", allowed),))
        name = self._wiring.settings.trust.name
        if has_come_through(self._fields.get("via", ""), name):
            detail = f"via names {name!r}: a route leads back here, or another gateway has the same server.name"
            raise Refusal(Reason.LOOP_DETECTED, detail)
        return self._place

    def _hold(self, count: int, otherwise: Reason = Reason.OVERLOADED) -> None:
        """Hold bytes until the visit is over, or refuse for that reason."""
        if not self._wiring.budget.take(count):
            headers = _RETRY_SOON if otherwise is Reason.OVERLOADED else ()
            raise Refusal(otherwise, "the gateway holds as many bytes as it may", headers=headers)
        self._held += count

    def _refuse(self, refusal: Refusal) -> Encoded:
        self._refusal = refusal
        encode = encode_refusal if self._place is None else self._place.refuse
        return encode(refusal, self._context.request_id)

    def _exchange(self) -> Exchange:
        refusal, written = self._refusal, self._written
        if written is None:
            refusal = Refusal(Reason.CLIENT_GONE, "the client closed the connection before it had the answer")
        return Exchange(
            method=self._request.method,
            status=_GONE if written is None else written.status,
            duration=time.monotonic() - self._started,
            context=self._context,
            route=self._route if self._place else None,
            dialect=self._place.dialect if self._place else None,
            reason=refusal.reason if refusal else None,
            detail=refusal.detail if refusal else "",
            bytes_in=self._bytes_in,
            bytes_out=self._streamed.size if self._streamed else len(written.body) if written else 0,
            finished=self._answer.finished if self._answer else None,
            bug=self._bug,
        )


def _choose(methods: dict[str, Place], method: str) -> Place | None:
    """What is served there. For a method that nothing takes, the first that is: it knows how to refuse."""
    return methods.get(method) or next(iter(methods.values()), None)
