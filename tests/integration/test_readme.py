"""The README's examples are sent to the services of the demo, and the answers are the README's."""

import json
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.commands.demo.services import SERVICES
from tests.support.process import ROOT, Gateway, running_gateway

SECTIONS = dict(re.findall(r"^##+ (.*?)\n(.*?)(?=^##|\Z)", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE))
"""Text by heading."""


def find_blocks(heading: str, language: str = "json") -> list[str]:
    """The blocks of a section, in order."""
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[heading], re.DOTALL)


BATCH, ANSWER, REFUSED = find_blocks("A batch, and its answer")
STREAMED, LINES = find_blocks("Results as they end")
GRAPH, GRAPH_ANSWER = find_blocks("Microsoft Graph clients")
(VIEWS,) = find_blocks("Stored batches", "yaml")
(ASKED,) = find_blocks("Stored batches", "sh")
(TYPED,) = find_blocks("Typed batches", "sh")
(TYPED_ANSWER,) = find_blocks("Typed batches")


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
    async with running_gateway({"upstreams": upstreams, **yaml.safe_load(VIEWS)}) as gateway:
        yield gateway
    for runner in runners:
        await runner.cleanup()


async def send(gateway: Gateway, method: str, path: str, body: str = "", **headers: str) -> tuple[int, bytes]:
    headers = {"content-type": "application/json", **headers}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, gateway.url + path, data=body.encode(), headers=headers) as response,
    ):
        return response.status, await response.read()


async def post(gateway: Gateway, batch: str, path: str = "/batch") -> tuple[int, Any]:
    status, body = await send(gateway, "POST", path, batch)
    return status, json.loads(body)


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


async def test_a_stream_has_the_lines_that_the_readme_shows(shop: Gateway) -> None:
    _, body = await send(shop, "POST", "/batch", STREAMED, accept="application/x-ndjson")
    lines, shown = ([without_times(json.loads(line)) for line in text.splitlines()] for text in (body.decode(), LINES))
    assert lines == shown


def is_shown(value: Any, shown: Any) -> bool:
    """Whether `value` is what is shown, with more members in its objects perhaps."""
    match shown:
        case dict():
            return all(key in value and is_shown(value[key], member) for key, member in shown.items())
        case list():
            return len(value) == len(shown) and all(map(is_shown, value, shown))
        case _:
            return bool(value == shown)


async def test_the_graph_example_has_the_answer_that_the_readme_shows(shop: Gateway) -> None:
    status, answer = await post(shop, GRAPH, "/$batch")
    assert status == 200
    assert is_shown(answer, json.loads(GRAPH_ANSWER)), answer


async def test_the_stored_batch_has_the_answer_that_the_readme_shows(shop: Gateway) -> None:
    path, shown = re.fullmatch(r"curl 'localhost:8080(\S+)' +# (.*)\n", ASKED).groups()  # type: ignore[union-attr]
    status, body = await send(shop, "GET", path)
    assert (status, body.decode()) == (200, shown)


async def test_the_typed_batch_has_the_answer_that_the_readme_shows() -> None:
    async def accept(_: web.Request) -> web.Response:
        return web.Response(status=201)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", accept)
    async with TestServer(app) as server:
        settings = yaml.safe_load((ROOT / "config/collector.yaml").read_text())
        for upstream in settings["upstreams"].values():
            upstream["url"] = f"http://127.0.0.1:{server.port}"
        async with running_gateway(
            {key: value for key, value in settings.items() if key not in ("server", "admin")}
        ) as gateway:
            path, batch = re.fullmatch(r"curl 'localhost:8080(\S+)' .* -d '(.*)'\n", TYPED, re.DOTALL).groups()  # type: ignore[union-attr]
            status, answer = await post(gateway, batch, path)
    assert status == 207
    assert is_shown(answer, json.loads(TYPED_ANSWER.replace(", …", ""))), answer
