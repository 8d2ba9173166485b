import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.admin.edge import AdminEdge
from gateway.admin.health import States
from gateway.metrics import Metrics


class State:
    """What the gateway under test says of itself."""

    ready = True


@pytest.fixture
async def state() -> State:
    return State()


@pytest.fixture
async def client(state: State) -> AsyncIterator[aiohttp.ClientSession]:
    async def always() -> States:
        return {"always": True}

    async def ready() -> States:
        return {"always": True, "ready": state.ready}

    edge = AdminEdge("gateway", Metrics(["/batch"], ["users"]).page(), live=always, ready=ready, started=always)
    port = await edge.listen("127.0.0.1", 0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session
    await edge.close()


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz", "/startupz"])
async def test_healthy_gateway_says_ok(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as response:
        assert (response.status, await response.text()) == (200, "ok\n")
        assert response.headers["server"] == "gateway"


async def test_gateway_that_is_not_ready_says_why_and_lives(client: aiohttp.ClientSession, state: State) -> None:
    state.ready = False
    async with client.get("/readyz") as response:
        assert (response.status, await response.text()) == (503, "[-] ready\nnot ok\n")
    async with client.get("/readyz?verbose") as response:
        assert (response.status, await response.text()) == (503, "[+] always\n[-] ready\nnot ok\n")
    async with client.get("/livez") as response:
        assert response.status == 200


async def test_verbose_lists_every_check(client: aiohttp.ClientSession) -> None:
    async with client.get("/readyz?verbose=1") as response:
        assert await response.text() == "[+] always\n[+] ready\nok\n"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [("text/plain", "text/plain"), ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text")],
)
async def test_metrics_come_in_the_format_asked_for(client: aiohttp.ClientSession, accept: str, content_type: str) -> None:
    async with client.get("/metrics", headers={"accept": accept}) as response:
        assert (response.status, response.content_type) == (200, content_type)
        assert "gateway_batch_operations_count 0.0" in await response.text()


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("POST", "/readyz", 405, "method-not-allowed"),
        ("POST", "/batch", 404, "not-found"),
        ("GET", "/", 404, "not-found"),
    ],
)
async def test_anything_else_is_a_problem(
    client: aiohttp.ClientSession, method: str, path: str, status: int, reason: str
) -> None:
    async with client.request(method, path) as response:
        assert (response.status, response.content_type) == (status, "application/problem+json")
        assert json.loads(await response.read())["reason"] == reason
        assert response.headers.get("allow") == ("GET, HEAD" if status == 405 else None)


async def test_head_has_no_body(client: aiohttp.ClientSession) -> None:
    async with client.head("/readyz") as response:
        assert (response.status, await response.read()) == (200, b"")
