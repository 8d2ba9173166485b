"""The peer: a batch endpoint as one would first write it on aiohttp, with nothing that a gateway needs beside fan-out.

    python -m tests.bench.aggregator PORT UPSTREAM_PORT

No references, limits, metrics, header policy, deadlines or logs: what it costs is the floor of ClientSession.
"""

import asyncio
import sys
import time
from typing import Any

import aiohttp
import orjson
from aiohttp import web

UPSTREAM = web.AppKey("upstream", str)
SESSION = web.AppKey("session", aiohttp.ClientSession)


async def batch(request: web.Request) -> web.Response:
    """Send every operation at once and answer in order."""
    envelope = orjson.loads(await request.read())
    session, upstream = request.app[SESSION], request.app[UPSTREAM]

    async def one(operation: dict[str, Any]) -> dict[str, Any]:
        started = time.perf_counter()
        async with session.get(upstream + operation["path"]) as response:
            body = orjson.loads(await response.read())
            duration = (time.perf_counter() - started) * 1000
            return {"name": operation["name"], "status": response.status, "body": body, "duration": duration}

    responses = await asyncio.gather(*map(one, envelope["requests"]))
    return web.Response(body=orjson.dumps({"responses": responses}), content_type="application/json")


async def application() -> web.Application:
    """The application, its session opened on the loop that serves it."""
    app = web.Application()
    app[UPSTREAM] = f"http://127.0.0.1:{sys.argv[2]}"
    app[SESSION] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=256))
    app.router.add_post("/batch", batch)
    return app


if __name__ == "__main__":
    import uvloop

    uvloop.install()
    web.run_app(application(), host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
