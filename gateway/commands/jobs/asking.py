"""Asking a gateway on its operators' port."""

import os
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp

_PROBLEM = "application/problem+json"
_PATIENCE = aiohttp.ClientTimeout(total=None, connect=10.0, sock_read=60.0)


class CannotAsk(Exception):
    """There is no answer, or it is a refusal. The message says why and what to do, in one line."""


class Operator:
    """Asks the gateway whose operators' port is at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=_PATIENCE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str, query: Mapping[str, str | None] | None = None) -> Any:
        """The JSON at a path. Parameters that are None are left out. Raises CannotAsk."""
        answer = await self._ask("GET", path, query)
        if "now" not in answer:
            raise CannotAsk(self._not_for_operators())
        return answer

    async def post(self, path: str) -> Any:
        """What the gateway says to a POST. Raises CannotAsk."""
        return await self._ask("POST", path, None)

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """The bytes at a path, piece by piece. Raises CannotAsk."""
        try:
            async with self._open("GET", path, None) as response:
                await self._check(response)
                async for piece in response.content.iter_any():
                    yield piece
        except (TimeoutError, aiohttp.ClientError) as error:
            raise self._explain(error) from None

    async def _ask(self, method: str, path: str, query: Mapping[str, str | None] | None) -> Any:
        try:
            async with self._open(method, path, query) as response:
                await self._check(response)
                return await response.json()
        except (TimeoutError, aiohttp.ClientError) as error:
            raise self._explain(error) from None

    def _open(self, method: str, path: str, query: Mapping[str, str | None] | None) -> Any:
        if self._session is None:
            raise RuntimeError("Operator is used inside `async with`")
        given = {name: value for name, value in (query or {}).items() if value is not None}
        return self._session.request(method, f"{self._url}{path}", params=given, allow_redirects=False)

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        if response.status < 300 and response.content_type in ("application/json", "application/octet-stream"):
            return
        if response.content_type != _PROBLEM:
            raise CannotAsk(self._not_for_operators())
        problem = await response.json(content_type=None)
        if problem.get("reason") == "unauthorized":
            raise CannotAsk(self._not_for_operators())
        if problem.get("reason") == "not-found" and "the pages here" in problem["detail"]:
            raise CannotAsk(f"the gateway at {self._url} takes no jobs: jobs.enabled is false in its configuration")
        raise CannotAsk(problem.get("detail") or problem["title"])

    def _not_for_operators(self) -> str:
        return f"{self._url} is not the operators' port of a gateway; --admin names another"

    def _explain(self, error: Exception) -> CannotAsk:
        why = str(error) or type(error).__name__
        if isinstance(error, aiohttp.ClientConnectorError):
            number = error.os_error.errno
            why = os.strerror(number).lower() if number and number > 0 else str(error.os_error)
        elif isinstance(error, aiohttp.InvalidURL):
            why = "this is not an http address"
        elif isinstance(error, TimeoutError):
            why = "it does not answer"
        return CannotAsk(f"no answer from {self._url}: {why}; is a gateway running there? --admin names another")
