"""The operator listener: /livez, /readyz, /startupz, /healthz and /metrics, and what there is to see of jobs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from gateway.admin.health import Look, judge
from gateway.dialects.problem import encode_refusal
from gateway.errors import Refusal
from gateway.messages import Reason

Page = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

Methods = Mapping[str, Page]
"""The pages of one path, by method. They may raise a Refusal."""

Find = Callable[[str], Methods | None]
"""What is at a path."""

_ALLOWED = ("GET", "HEAD")


def find_nothing(path: str) -> Methods | None:  # noqa: ARG001  # it is what a Find takes
    """For an operators' side that has no more pages."""
    return None


class AdminEdge:
    """Answers operators. `metrics` is the page /metrics; the others say what /livez, /readyz and /startupz ask.

    `find_more` knows the pages beside these.
    """

    def __init__(
        self, name: str, metrics: Page, live: Look, ready: Look, started: Look, find_more: Find = find_nothing
    ) -> None:
        self._name = name
        self._find_more = find_more
        self._pages: Mapping[str, Page] = {
            "/livez": _make_health_page(live),
            "/healthz": _make_health_page(live),
            "/readyz": _make_health_page(ready),
            "/startupz": _make_health_page(started),
            "/metrics": metrics,
        }
        self._server = web.Server(self._serve, access_log=None, keepalive_timeout=75.0)
        self._listener: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Take connections; the port listened on. OSError if that port cannot be had."""
        self._listener = await asyncio.get_running_loop().create_server(self._server, host, port)
        return int(self._listener.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and close all connections."""
        if self._listener is not None:
            self._listener.close()
        await self._server.shutdown(0)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            response = await self._answer(request)
        except Refusal as refusal:
            response = _refuse(refusal)
        if not response.prepared:
            response.headers["server"] = self._name
            response.headers["cache-control"] = "no-store"
        return response

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.rel_url.raw_path
        known = self._pages.get(path)
        methods = self._find_more(path) if known is None else dict.fromkeys(_ALLOWED, known)
        if methods is None:
            raise Refusal(Reason.NOT_FOUND, f"the pages here are {', '.join(self._pages)}")
        page = methods.get(request.method)
        if page is None:
            allowed = ", ".join(methods)
            detail = "this page is read with GET" if "GET" in methods else f"this takes {allowed}"
            raise Refusal(Reason.METHOD_NOT_ALLOWED, detail, headers=(("allow", allowed),))
        return await page(request)


def _make_health_page(look: Look) -> Page:
    async def health(request: web.BaseRequest) -> web.Response:
        good, text = judge(await look(), "verbose" in request.query)
        return web.Response(status=200 if good else 503, text=text)

    return health


def _refuse(refusal: Refusal) -> web.Response:
    encoded = encode_refusal(refusal, "")
    return web.Response(status=encoded.status, headers=encoded.headers, body=encoded.body)
