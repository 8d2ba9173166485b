"""The demo's services on the addresses that a configuration names, for the time of an `async with`."""

import errno
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from aiohttp import web

from gateway.commands.demo.services import SERVICES

_GRACE = 1.0
"""Seconds that a request in flight has when the services end."""


class NoListener(Exception):
    """Nothing could listen at an address. The message names it, says why, and what to change."""

    def __init__(self, host: str, port: int, error: OSError, remedy: str) -> None:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be listened on ({error.strerror or error})"
        super().__init__(f"port {port} on {host} {why}: {remedy}")


@asynccontextmanager
async def running_services(urls: Mapping[str, str], source: str) -> AsyncIterator[list[str]]:
    """Serve every upstream of `urls` (origins by name) that the demo has a service for; yields their names.

    `source` is the configuration's file, for what NoListener says.
    """
    async with AsyncExitStack() as stack:
        started = []
        for name, url in urls.items():
            if name in SERVICES:
                await _start(name, url, source, stack)
                started.append(name)
        yield started


async def _start(name: str, url: str, source: str, stack: AsyncExitStack) -> None:
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    runner = web.AppRunner(SERVICES[name](), access_log=None, shutdown_timeout=_GRACE)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        remedy = f"end what uses it, or change upstreams.{name}.url in {source}"
        raise NoListener(host, port, error, remedy) from None
