"""The peer that is always there: a batch endpoint as one would first write it on aiohttp.

    python -m tests.bench.aggregator PORT UPSTREAM_PORT

It takes the gateway's batches as far as the points need them: a reference is `${result=NAME:$.field.field}` in a path, forEach
goes over `$.field[*]` and fills `${item:$.field}`. It has no limits, metrics, header policy, deadlines, logs or checks: what it
costs is what ClientSession costs.
"""

import asyncio
import re
import sys
import time
from typing import Any

import aiohttp
import orjson
import uvloop
from aiohttp import web

UPSTREAM = web.AppKey("upstream", str)
SESSION = web.AppKey("session", aiohttp.ClientSession)

REFERENCE = re.compile(r"\$\{(?:result=(\w+)|item):\$\.([\w.]+)(?:\[\*\])?\}")


class Batch:
    """One batch. An operation that refers to another waits for that one's task."""

    def __init__(self, session: aiohttp.ClientSession, upstream: str) -> None:
        self._session = session
        self._upstream = upstream
        self._tasks: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def run(self, operations: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The entries of the answer, in the order asked."""
        for operation in operations:
            send = self._send_each if "forEach" in operation else self._send
            self._tasks[operation["name"]] = asyncio.create_task(send(operation))
        return await asyncio.gather(*self._tasks.values())

    async def _send_each(self, operation: dict[str, Any]) -> dict[str, Any]:
        items = await self._find(operation["forEach"], None)
        entries = await asyncio.gather(*(self._send(operation, item) for item in items))
        return {"name": operation["name"], "status": 200, "responses": entries}

    async def _send(self, operation: dict[str, Any], item: Any = None) -> dict[str, Any]:
        path = operation["path"]
        for reference in REFERENCE.finditer(path):
            path = path.replace(reference[0], str(await self._find(reference[0], item)))
        started = time.perf_counter()
        async with self._session.get(self._upstream + path) as response:
            body = orjson.loads(await response.read())
        duration = (time.perf_counter() - started) * 1000
        return {"name": operation["name"], "status": response.status, "body": body, "duration": duration}

    async def _find(self, text: str, item: Any) -> Any:
        reference = REFERENCE.fullmatch(text)
        assert reference is not None
        value = item if reference[1] is None else (await self._tasks[reference[1]])["body"]
        for field in reference[2].split("."):
            value = value[field]
        return value


async def answer(request: web.Request) -> web.Response:
    """Send every operation as soon as it can be and answer in order."""
    envelope = orjson.loads(await request.read())
    responses = await Batch(request.app[SESSION], request.app[UPSTREAM]).run(envelope["requests"])
    return web.Response(body=orjson.dumps({"responses": responses}), content_type="application/json")


async def make_application(upstream: int) -> web.Application:
    """The application, its session opened on the loop that serves it."""
    app = web.Application()
    app[UPSTREAM] = f"http://127.0.0.1:{upstream}"
    app[SESSION] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256), cookie_jar=aiohttp.DummyCookieJar())
    app.router.add_post("/batch", answer)
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(make_application(int(sys.argv[2])), host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
