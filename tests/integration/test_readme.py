"""The README's example is sent to the services of the demo, and its answer is the README's."""

import json
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.commands.demo.services import SERVICES
from tests.support.process import ROOT, Gateway, running_gateway

BATCH, ANSWER, REFUSED = re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.fixture
async def shop() -> AsyncIterator[Gateway]:
    runners = []
    upstreams = {}
    for name, make in SERVICES.items():
        runner = web.AppRunner(make())
        await runner.setup()
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            await web.SockSite(runner, listener.dup()).start()
            upstreams[name] = {"url": f"http://127.0.0.1:{listener.getsockname()[1]}", "routes": [f"/{name}"]}
        runners.append(runner)
    async with running_gateway({"upstreams": upstreams}) as gateway:
        yield gateway
    for runner in runners:
        await runner.cleanup()


async def post(gateway: Gateway, batch: str) -> tuple[int, Any]:
    headers = {"content-type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{gateway.url}/batch", data=batch.encode(), headers=headers) as response,
    ):
        return response.status, json.loads(await response.read())


def without_times(value: Any) -> Any:
    """An answer with its durations taken out."""
    match value:
        case dict():
            return {key: without_times(member) for key, member in value.items() if key not in ("duration", "queued")}
        case list():
            return [without_times(element) for element in value]
        case _:
            return value


async def test_the_example_has_the_answer_that_the_readme_shows(shop: Gateway) -> None:
    status, answer = await post(shop, BATCH)
    assert status == 207
    assert without_times(answer) == without_times(json.loads(ANSWER))


async def test_mistakes_are_told_as_the_readme_shows(shop: Gateway) -> None:
    _, answer = await post(shop, '{"requests":[{"path":"/users/1","pth":"/users/42"},{"path":"/orders/${result=v:$.id}"}]}')
    shown = json.loads(REFUSED)
    assert {key: answer[key] for key in shown} == shown
