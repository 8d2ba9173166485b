"""Jobs whose upstream is down, in a gateway of their own beside jobs for one that is well."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.process import PATIENCE, Gateway, running_gateway
from tests.support.upstream import ScriptedUpstream, close, respond_json


async def ask(gateway: Gateway, method: str, path: str, **given: Any) -> Any:
    async with aiohttp.ClientSession() as session, session.request(method, f"{gateway.url}{path}", **given) as response:
        assert response.status < 300
        return await response.json()


async def submit(gateway: Gateway, *operations: dict[str, Any]) -> str:
    job = await ask(gateway, "POST", "/batch", json={"requests": operations}, headers={"prefer": "respond-async"})
    return str(job["id"])


async def ended(gateway: Gateway, job: str) -> Any:
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await ask(gateway, "GET", f"/jobs/{job}")
            if found["state"] == "completed":
                return found
            await asyncio.sleep(0.02)


async def test_an_upstream_that_is_down_holds_up_its_own_jobs_alone(tmp_path: Path) -> None:
    """There is one place for chunks, and the breaker stays open for good."""
    breaker = {"minimum": 1, "cooldown": "1h"}
    async with (
        ScriptedUpstream(lambda _: close()) as down,
        ScriptedUpstream(lambda _: respond_json({})) as well,
        running_gateway(
            {
                "upstreams": {
                    "down": {"url": down.url, "routes": ["/down"], "breaker": breaker},
                    "well": {"url": well.url, "routes": ["/well"]},
                },
                "jobs": {"enabled": True, "data": str(tmp_path), "auth": "none", "chunks": 1},
            }
        ) as gateway,
    ):
        post = {"method": "POST", "path": "/down", "body": 1}
        assert (await ended(gateway, await submit(gateway, post)))["counts"]["failed"] == 1
        waiting = [await submit(gateway, post, {"path": "/well/first"}) for _ in range(3)]
        assert (await ended(gateway, await submit(gateway, {"path": "/well/second"})))["counts"]["succeeded"] == 1
        assert [(await ask(gateway, "GET", f"/jobs/{job}"))["state"] for job in waiting] == ["in_progress"] * 3
        assert await gateway.stop() == 0
        assert [event for event in gateway.lines if event["level"] == "error"] == []
    assert len(down.arrivals) == 1
    assert [arrival.target for arrival in well.arrivals].count("/well/first") == 3
