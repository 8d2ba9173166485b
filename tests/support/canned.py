"""A gateway that gives the same answer to every batch, for what speaks to one.

async with CannedGateway(207, {"responses": [...], "duration": 3.0}) as gateway:
    ... gateway.url ...
assert gateway.bodies == [b"..."]
"""

import asyncio
import json
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer


class CannedGateway:
    """Listens on a loopback port of its own for the time of an `async with`. `silent`: it takes a batch and never answers."""

    def __init__(
        self,
        status: int,
        answer: Any,
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
        silent: bool = False,
    ) -> None:
        self.bodies: list[bytes] = []
        self.requests: list[web.Request] = []
        self._text = answer if isinstance(answer, str) else json.dumps(answer)
        self._status = status
        self._headers = {"content-type": content_type, **(headers or {})}
        self._silent = silent

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/batch", self._answer)
        self._server = TestServer(app)
        await self._server.start_server()
        self.url = str(self._server.make_url("/batch"))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        self.bodies.append(await request.read())
        if self._silent:
            await asyncio.Event().wait()
        return web.Response(status=self._status, text=self._text, headers=self._headers)


def entry(status: int, path: str, duration: float | None = None, **more: Any) -> dict[str, Any]:
    """One native entry; `duration` in milliseconds, None for what was not sent."""
    times = {} if duration is None else {"duration": duration, "queued": more.pop("queued", 0.0)}
    return {"method": "GET", "path": path, "status": status, **times, **more}


def problem(reason: str, detail: str, cause: str | None = None) -> dict[str, str]:
    """What `error` holds where the gateway made the status."""
    return {"title": reason, "reason": reason, "detail": detail, **({} if cause is None else {"cause": cause})}
