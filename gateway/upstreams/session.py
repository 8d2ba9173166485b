"""The transport: aiohttp's ClientSession, with everything it would do of its own accord switched off.

Nothing outside this file knows how bytes get to an upstream.
"""

import asyncio
import errno
import io
import os
import ssl
from functools import partial
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import ContentLengthError, HttpProcessingError, TransferEncodingError
from multidict import CIMultiDict
from yarl import URL

from gateway import __version__
from gateway.messages import SAFE_METHODS, Failure, Reason, Request, Response
from gateway.upstreams.attempt import Attempt, Progress
from gateway.upstreams.decoding import ACCEPTED, Body, read_coding
from gateway.upstreams.fields import select_for_client, select_for_upstream

NO_AUTOMATIC_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
LARGE = 1 << 20
"""Bytes; from here on aiohttp warns about a body that is not a file."""


class OutspokenHandler(ResponseHandler):
    """One connection. aiohttp 3.14 leaves the reader of a body waiting for ever where a later part of it is malformed."""

    def set_exception(self, exc: Any, exc_cause: Any = None) -> None:
        body = self._payload
        super().set_exception(exc, exc if exc_cause is None else exc_cause)
        if isinstance(exc, HttpProcessingError) and body is not None and not body.is_eof():
            problem = aiohttp.ClientPayloadError("malformed")
            problem.__cause__ = exc
            body.set_exception(problem)


class CleanPool(aiohttp.TCPConnector):
    """A connection pool that does not hand out a connection on which an upstream spoke unasked, and does not linger.

    aiohttp 3.14 would deliver such bytes as the answer to the next request on that connection. What is overridden here is
    private there: tests/unit/upstreams/test_session.py fails if it is no longer called.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory: Any = partial(OutspokenHandler, loop=self._loop)

    async def _get(self, key: Any, traces: Any) -> Any:
        while (connection := await super()._get(key, traces)) is not None:
            if connection.protocol is not None and not connection.protocol.should_close:
                return connection
            connection.close()
        return None

    def _release(self, key: Any, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        should_close = should_close or protocol.should_close
        if should_close:
            protocol.abort()  # close() would first wait until an upstream that may be stuck has read what is unsent
        super()._release(key, protocol, should_close=should_close)

    @property
    def size(self) -> int:
        """Connections open or being opened, idle ones included."""
        return len(self._acquired) + sum(len(idle) for idle in self._conns.values())


class Journey:
    """How far one request has got."""

    def __init__(self) -> None:
        self.progress = Progress.NOTHING_SENT


class Session:
    """Sends requests to one upstream, at `url` (an origin), one attempt each. `limit` is the bytes of an answer's body."""

    def __init__(
        self,
        upstream: str,
        url: str,
        *,
        limit: int,
        connect_timeout: float,
        keepalive: float,
        show_cookies: bool,
        tls: ssl.SSLContext | None = None,
        server_name: str | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._origin = URL(self._url).origin()
        self._label = f"{upstream} ({self._url})"
        self._limit = limit
        self._connect_timeout = connect_timeout
        self._keepalive = keepalive
        self._show_cookies = show_cookies
        self._tls = tls
        self._server_name = server_name
        self._pool: CleanPool | None = None
        self._client: aiohttp.ClientSession | None = None

    @property
    def connections(self) -> int:
        """Connections open now."""
        return self._pool.size if self._pool is not None else 0

    async def start(self) -> None:
        """Make ready to send; nothing is connected yet."""
        tracing = aiohttp.TraceConfig()
        tracing.on_request_headers_sent.append(note_sent)
        self._pool = CleanPool(
            limit=0,  # the limit layer counts
            ssl=self._tls if self._tls is not None else True,
            **({"keepalive_timeout": self._keepalive} if self._keepalive else {"force_close": True}),
        )
        self._client = aiohttp.ClientSession(
            connector=self._pool,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_timeout, sock_connect=None),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=NO_AUTOMATIC_HEADERS,
            trace_configs=[tracing],
        )
        # aiohttp would send idempotent requests again by itself. Private; pinned by a test that counts what arrives.
        self._client._retry_connection = False

    async def close(self) -> None:
        """Close every connection, busy ones too."""
        if self._client is not None:
            await self._client.close()
        self._pool = self._client = None

    async def attempt(self, request: Request) -> Attempt:
        """Send once; the deadline of the request holds until the last byte is read."""
        if self._client is None:
            raise RuntimeError(f"{self._label} is used before start() or after close()")
        url = self._locate(request.target)
        if url is None:
            detail = f"the target would not reach {self._label} as it is"
            return Attempt(Failure(Reason.PATH_NOT_ALLOWED, detail), Progress.NOTHING_SENT)
        journey = Journey()
        try:
            async with asyncio.timeout_at(request.deadline):
                response = await self._client.request(
                    request.method,
                    url,
                    headers=add_own_fields(request),
                    data=io.BytesIO(request.body) if request.body is not None and len(request.body) > LARGE else request.body,
                    allow_redirects=False,
                    server_hostname=self._server_name if self._tls is not None else None,
                    trace_request_ctx=journey,
                )
                journey.progress = Progress.ANSWERED
                try:
                    outcome = await self._read(request, response)
                finally:
                    response.close()  # changes nothing once the answer has been read to its end
        except (aiohttp.ClientError, TimeoutError) as error:
            outcome = self._explain(error, journey.progress)
        if isinstance(outcome, Failure) and journey.progress is not Progress.NOTHING_SENT:
            outcome = outcome._replace(maybe_processed=request.method not in SAFE_METHODS)
        return Attempt(outcome, journey.progress)

    def _locate(self, target: str) -> URL | None:
        """The URL of a target, or None if it would lead elsewhere or not be sent as it is (a last bare "?" is left out)."""
        try:
            url = URL(self._url + target, encoded=True)
            as_it_is = url.origin() == self._origin and url.raw_path_qs == target.removesuffix("?")
        except ValueError:
            return None
        return url if as_it_is else None

    async def _read(self, request: Request, response: aiohttp.ClientResponse) -> Response | Failure:
        if not 200 <= response.status <= 599:
            return self._fail(Reason.UPSTREAM_PROTOCOL, f"answered with the status {response.status}, which ends no request")
        fields = select_for_client(response.raw_headers, self._show_cookies)
        if fields is None:
            return self._fail(Reason.UPSTREAM_PROTOCOL, "answered with a control character in a header")
        if request.method == "HEAD" or response.status in {204, 304}:
            return Response(response.status, fields, b"")
        coding = read_coding(response.headers.getall("Content-Encoding", []))
        if coding is None:
            return self._fail(Reason.UPSTREAM_ENCODING, "answered in a content coding it was not offered")
        body = await self._read_body(response, Body(coding, self._limit))
        match body:
            case bytes():
                return Response(response.status, fields, body)
            case Reason.UPSTREAM_TOO_LARGE:
                return self._fail(body, f"answered with more than {self._limit} bytes")
            case _:
                return self._fail(body, f"answered with a body that is not valid {coding}")

    async def _read_body(self, response: aiohttp.ClientResponse, body: Body) -> bytes | Reason:
        if (response.content_length or 0) > self._limit:
            return Reason.UPSTREAM_TOO_LARGE
        async for received in response.content.iter_any():
            if (problem := body.feed(received)) is not None:
                return problem
        return body.finish()

    def _fail(self, reason: Reason, what: str) -> Failure:
        return Failure(reason, f"{self._label} {what}")

    def _explain(self, error: Exception, progress: Progress) -> Failure:
        """Reason and words for an error of aiohttp. Never its own words: they hold what the upstream sent."""
        match error:
            case aiohttp.ConnectionTimeoutError():
                return self._fail(Reason.UPSTREAM_TIMEOUT, f"accepted no connection within {self._connect_timeout:g} s")
            case aiohttp.ClientConnectorDNSError():
                return self._fail(Reason.UPSTREAM_DNS, "has a name that could not be resolved")
            case aiohttp.ClientConnectorCertificateError(certificate_error=certificate_error):
                why = getattr(certificate_error, "verify_message", "it does not fit the name")
                return self._fail(Reason.UPSTREAM_TLS, f"has a certificate that is not trusted: {why}")
            case aiohttp.ClientSSLError():
                return self._fail(Reason.UPSTREAM_TLS, f"made no TLS connection: {explain_tls(error.os_error)}")
            case aiohttp.ClientConnectorError():
                return self._explain_connect(error.os_error)
            case TimeoutError():
                return self._fail(Reason.UPSTREAM_TIMEOUT, WHEN_TIME_WAS_OVER[progress])
            case aiohttp.ClientPayloadError() if is_malformed(error):
                return self._fail(Reason.UPSTREAM_PROTOCOL, "answered with a body that is not valid HTTP/1.1")
            case aiohttp.ClientResponseError():
                return self._fail(Reason.UPSTREAM_PROTOCOL, "answered with something that is not valid HTTP/1.1")
            case _ if progress is Progress.ANSWERED:
                return self._fail(Reason.UPSTREAM_CLOSED, "closed the connection in the middle of its answer")
            case _:
                return self._fail(Reason.UPSTREAM_CLOSED, "closed the connection without an answer")

    def _explain_connect(self, error: OSError) -> Failure:
        if self._tls is not None and isinstance(error, (ConnectionResetError, ConnectionAbortedError)):
            return self._fail(Reason.UPSTREAM_TLS, "closed the connection during the TLS handshake")
        what = CONNECT_ERRORS.get(error.errno or 0)
        return self._fail(Reason.UPSTREAM_CONNECT, what or f"could not be connected to: {os.strerror(error.errno or 0)}")


CONNECT_ERRORS: dict[int, str] = {
    errno.ECONNREFUSED: "refused the connection",
    errno.EHOSTUNREACH: "is not reachable from here",
    errno.ENETUNREACH: "is not reachable from here",
    errno.EMFILE: "could not be connected to: this process has too many files open",
}

WHEN_TIME_WAS_OVER: dict[Progress, str] = {
    Progress.NOTHING_SENT: "was never sent the request: its time was over before there was a connection",
    Progress.NOTHING_ANSWERED: "did not begin to answer in time",
    Progress.ANSWERED: "did not finish its answer in time",
}


def add_own_fields(request: Request) -> CIMultiDict[str]:
    """The fields of a request and those of this hop. Host and the framing are written by aiohttp, from the URL and the body."""
    fields = CIMultiDict(select_for_upstream(request.headers))
    fields.setdefault("user-agent", f"batch-gateway/{__version__}")
    fields["accept-encoding"] = ACCEPTED
    return fields


def explain_tls(error: BaseException) -> str:
    """OpenSSL's name for what went wrong, in words."""
    return (getattr(error, "reason", None) or "the handshake failed").replace("_", " ").lower()


def is_malformed(error: aiohttp.ClientPayloadError) -> bool:
    """Whether a body was framed wrongly, rather than cut short."""
    cause = error.__cause__
    return isinstance(cause, HttpProcessingError) and not isinstance(cause, (ContentLengthError, TransferEncodingError))


async def note_sent(_: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestHeadersSentParams) -> None:
    """aiohttp calls this before it writes the head of a request."""
    context.trace_request_ctx.progress = Progress.NOTHING_ANSWERED
