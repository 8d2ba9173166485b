"""Sending a batch over HTTP."""

import json
import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp

from gateway.client.answer import BatchAnswer, NotAnAnswer, read_answer
from gateway.client.refused import GatewayRefused, GatewayUnreachable

_EXCERPT = 200
"""Characters of an answer that is not the gateway's that are worth showing."""


class GatewayClient:
    """Sends batches to the gateway at `url`, the address of its batch route.

    `headers` go with every batch and `timeout` (seconds) bounds each, from connecting to the last byte. Connections are
    kept between batches, so one client serves many. It follows no redirects and keeps no cookies.

        async with GatewayClient("http://127.0.0.1:8080/batch") as gateway:
            answer = await gateway.batch({"requests": [{"name": "user", "path": "/users/42"}]})
            print(answer["user"].body)
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, timeout: float = 60.0) -> None:
        self.url = url
        self._headers = {"content-type": "application/json", "accept": "application/json", **_lowered(headers or {})}
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._seconds = timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=self._timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def batch(self, envelope: Mapping[str, Any] | bytes) -> BatchAnswer:
        """Send one envelope; bytes go out untouched.

        Raises GatewayRefused if the batch was not run, GatewayUnreachable if no answer came.
        """
        if self._session is None:
            raise RuntimeError("GatewayClient is used inside `async with`")
        body = envelope if isinstance(envelope, bytes) else json.dumps(envelope, ensure_ascii=False).encode()
        try:
            async with self._session.post(self.url, data=body, headers=self._headers, allow_redirects=False) as response:
                text = await response.text(errors="replace")
                return _judge(response.status, response.headers, text)
        except TimeoutError:
            raise GatewayUnreachable(self.url, f"nothing within {self._seconds:g} s") from None
        except aiohttp.ClientConnectorError as error:
            raise GatewayUnreachable(self.url, _why(error.os_error)) from None
        except aiohttp.InvalidURL:
            raise GatewayUnreachable(self.url, "this is not an http address") from None
        except aiohttp.ClientError as error:
            raise GatewayUnreachable(self.url, str(error) or type(error).__name__) from None


def _judge(status: int, headers: Mapping[str, str], text: str) -> BatchAnswer:
    """The standard json module and not a faster one: it keeps integers of any size as they are."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if status in (200, 207):
        try:
            return read_answer(status, headers, document, text)
        except NotAnAnswer as error:
            raise GatewayRefused(status, {"title": "The answer is not a batch's", "detail": str(error)}) from None
    if not isinstance(document, dict):
        document = {"title": f"The answer is {status} and not from a gateway", "detail": text[:_EXCERPT].strip()}
    raise GatewayRefused(status, document)


def _why(error: OSError) -> str:
    """The system's words for it, in place of asyncio's, which repeat the address."""
    if isinstance(error, ConnectionError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    return error.strerror or str(error)


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
