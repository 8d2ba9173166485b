"""The whole gateway in front of servers that others wrote: nginx, Node's and Python's."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from gateway.client import Entry, GatewayClient
from tests.support.process import Gateway, running_gateway
from tests.support.programs import LARGE, Program, running_program

CONNECTIONS = 8

LIMITS = {"body": "16MiB", "response": "4MiB", "answer": "16MiB"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["nginx", "node", "python"])
async def program(request: pytest.FixtureRequest) -> AsyncIterator[Program]:
    async with running_program(request.param) as program:
        yield program


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(program: Program) -> AsyncIterator[Gateway]:
    upstream = {"url": program.url, "routes": ["/users"], "connections": CONNECTIONS, "timeout": "20s"}
    async with running_gateway({"upstreams": {"users": upstream}, "limits": LIMITS}) as gateway:
        yield gateway


async def send(gateway: Gateway, *operations: dict[str, Any]) -> list[Entry]:
    """The entries of a batch of these operations."""
    async with GatewayClient(f"{gateway.url}/batch") as client:
        return list((await client.batch({"requests": list(operations)})).entries)


@pytest.mark.parametrize("way", ["length", "chunked", "gzip"])
async def test_a_body_is_read_however_it_is_framed(gateway: Gateway, way: str) -> None:
    [entry] = await send(gateway, {"path": f"/users/{way}?token=t1"})
    assert (entry.status, entry.body, entry.headers["x-token"]) == (200, {"way": way}, "t1")
    assert {"content-length", "transfer-encoding", "content-encoding", "connection"}.isdisjoint(entry.headers)


@pytest.mark.parametrize(("path", "status"), [("none", 204), ("unchanged", 304)])
async def test_what_has_no_body_is_complete_without_one(gateway: Gateway, path: str, status: int) -> None:
    entries = await send(gateway, {"path": f"/users/{path}"}, {"path": "/users/length"})
    assert [(entry.status, entry.body) for entry in entries] == [(status, None), (200, {"way": "length"})]


@pytest.mark.parametrize("way", ["length", "chunked", "gzip", "large"])
async def test_head_is_answered_without_a_body_and_leaves_the_connection_clean(gateway: Gateway, way: str) -> None:
    for _ in range(3):
        [head] = await send(gateway, {"method": "HEAD", "path": f"/users/{way}"})
        [get] = await send(gateway, {"path": "/users/length"})
        assert (head.status, head.body) == (200, None)
        assert (get.status, get.body) == (200, {"way": "length"})


async def test_a_large_body_arrives_whole(gateway: Gateway) -> None:
    entries = await send(gateway, {"path": "/users/large"}, {"path": "/users/large"})
    assert [(entry.status, entry.body == LARGE.decode()) for entry in entries] == [(200, True), (200, True)]


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # of the client's side, on purpose
@pytest.mark.parametrize("name", ["upload", "slow-upload"])
async def test_a_large_request_arrives_whole(gateway: Gateway, program: Program, name: str) -> None:
    sent = {"text": "0123456789" * 600_000}
    [entry] = await send(gateway, {"method": "PUT", "path": f"/users/{name}", "body": sent})
    assert entry.status in {200, 201, 204}
    json = ('{"text":"' + sent["text"] + '"}').encode()
    spaced = json.replace(b'":"', b'": "')
    assert program.digest(name, entry.body) in {hashlib.sha256(text).hexdigest() for text in (json, spaced)}


async def test_one_connection_serves_one_request_after_another(gateway: Gateway) -> None:
    seen = set()
    for way in ["length", "chunked", "gzip", "none", "unchanged", "large"] * 3:
        [entry] = await send(gateway, {"path": f"/users/{way}"})
        seen.add(entry.headers["x-connection"])
    assert len(seen) == 1


async def test_many_at_once_each_have_their_own_answer(gateway: Gateway) -> None:
    ways = ["length", "chunked", "gzip", "none", "unchanged"]
    for _ in range(5):
        tokens = [str(number) for number in range(50)]
        operations = [
            {"path": f"/users/{ways[number % 5]}?token={number}", "method": "HEAD" if number % 7 == 0 else "GET"}
            for number in range(50)
        ]
        entries = await send(gateway, *operations)
        assert [entry.headers["x-token"] for entry in entries] == tokens
        bodies = [None if number % 7 == 0 or number % 5 > 2 else {"way": ways[number % 5]} for number in range(50)]
        assert [entry.body for entry in entries] == bodies
        assert len({entry.headers["x-connection"] for entry in entries}) <= CONNECTIONS
