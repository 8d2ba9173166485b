"""The upstreams room with one upstream in it, and requests to that."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from gateway.config.upstreams import UpstreamSettings
from gateway.messages import Headers, Outcome, Request
from gateway.upstreams.stack import Upstreams

PATIENCE = 5.0
"""Seconds that a request has unless a test is about its deadline."""


@contextlib.asynccontextmanager
async def room_for(url: str, response_limit: int = 4 << 20, **settings: Any) -> AsyncIterator[Upstreams]:
    """The room with the upstream `users` at `url`; settings as in the configuration, retries and breaker off unless given."""
    given = {"url": url, "routes": ["/users"], "retries": 0, "breaker": {"enabled": False}, **settings}
    room = Upstreams({"users": UpstreamSettings.model_validate(given)}, response_limit, asyncio.get_running_loop().time)
    await room.start()
    try:
        yield room
    finally:
        await room.close()


def ask(
    target: str = "/users/1",
    method: str = "GET",
    headers: Headers = (),
    body: bytes | None = None,
    patience: float = PATIENCE,
) -> Request:
    """A request to `users` with `patience` seconds to live."""
    return Request("users", method, target, headers, body, asyncio.get_running_loop().time() + patience)


async def begin(room: Upstreams, request: Request) -> asyncio.Task[Outcome]:
    """Start sending; the test goes on meanwhile."""

    async def send() -> Outcome:
        return await room.send(request)

    return asyncio.create_task(send())
