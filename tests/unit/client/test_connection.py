"""The client over real sockets, in front of a gateway that answers from a can."""

import json
import socket

import pytest

from gateway.client import Complaint, GatewayClient, GatewayRefused, GatewayUnreachable
from tests.support.canned import CannedGateway, entry

_ONE = {"requests": [{"path": "/a"}]}


async def test_a_batch_is_posted_as_json_with_the_clients_headers() -> None:
    can = CannedGateway(200, {"responses": [entry(200, "/a", 1.0)], "duration": 2.0})
    async with can as gateway, GatewayClient(gateway.url, {"Authorization": "Bearer x"}) as client:
        answer = await client.batch(_ONE)

    assert (answer.status, len(answer.entries)) == (200, 1)
    assert [json.loads(body) for body in gateway.bodies] == [_ONE]
    headers = gateway.requests[0].headers
    assert (headers["content-type"], headers["authorization"]) == ("application/json", "Bearer x")


async def test_bytes_go_out_as_they_are() -> None:
    body = b'{"requests": [{"path": "/a", "path": "/b"}]} '
    async with CannedGateway(200, {"responses": [], "duration": 2.0}) as gateway, GatewayClient(gateway.url) as client:
        await client.batch(body)

    assert gateway.bodies == [body]


async def test_integers_of_any_size_survive() -> None:
    big = 2**70 + 1
    text = json.dumps({"responses": [entry(200, "/a", 1.0, body={"id": big})], "duration": 1.0})
    async with CannedGateway(200, text) as gateway, GatewayClient(gateway.url) as client:
        answer = await client.batch({"requests": [{"path": "/a", "method": "POST", "body": big}]})

    assert answer.entries[0].body == {"id": big}
    assert str(big).encode() in gateway.bodies[0]


async def test_one_client_keeps_its_connection() -> None:
    async with CannedGateway(200, {"responses": [], "duration": 2.0}) as gateway, GatewayClient(gateway.url) as client:
        await client.batch(_ONE)
        await client.batch(_ONE)

    ports = {request.get_extra_info("peername") for request in gateway.requests}
    assert len(gateway.requests) == 2
    assert len(ports) == 1


async def test_a_refusal_carries_the_problem_and_every_complaint() -> None:
    problem = {
        "title": "The batch is not valid",
        "status": 422,
        "detail": "2 problems",
        "reason": "invalid-envelope",
        "errors": [
            {"pointer": "/requests/0/path", "reason": "path-not-allowed", "detail": "no route"},
            {"pointer": "/requests/1", "reason": "invalid-envelope", "detail": "path is missing"},
        ],
    }
    can = CannedGateway(422, problem, content_type="application/problem+json")
    async with can as gateway, GatewayClient(gateway.url) as client:
        with pytest.raises(GatewayRefused) as caught:
            await client.batch(_ONE)

    refused = caught.value
    assert refused.problem == problem
    assert (refused.status, refused.title, refused.detail, refused.reason) == (
        422,
        "The batch is not valid",
        "2 problems",
        "invalid-envelope",
    )
    assert refused.complaints == (
        Complaint("/requests/0/path", "path-not-allowed", "no route"),
        Complaint("/requests/1", "invalid-envelope", "path is missing"),
    )


@pytest.mark.parametrize("status", [302, 404, 502])
async def test_an_answer_that_is_no_problem_is_a_refusal_all_the_same(status: int) -> None:
    can = CannedGateway(status, "<h1>nginx</h1>", content_type="text/html")
    async with can as gateway, GatewayClient(gateway.url) as client:
        with pytest.raises(GatewayRefused) as caught:
            await client.batch(_ONE)

    assert caught.value.status == status
    assert caught.value.detail == "<h1>nginx</h1>"


async def test_a_redirect_is_not_followed() -> None:
    async with CannedGateway(200, {"responses": [], "duration": 2.0}) as elsewhere:
        can = CannedGateway(307, "", {"location": elsewhere.url})
        async with can as gateway, GatewayClient(gateway.url) as client:
            with pytest.raises(GatewayRefused, match="307"):
                await client.batch(_ONE)

    assert elsewhere.bodies == []


async def test_a_200_that_is_no_answer_is_a_refusal() -> None:
    async with CannedGateway(200, "hello", content_type="text/plain") as gateway, GatewayClient(gateway.url) as client:
        with pytest.raises(GatewayRefused, match="not a batch's"):
            await client.batch(_ONE)


async def test_nobody_listening_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connecting is refused
        async with GatewayClient(f"http://127.0.0.1:{taken.getsockname()[1]}/batch") as client:
            with pytest.raises(GatewayUnreachable, match="connection refused"):
                await client.batch(_ONE)


async def test_a_gateway_that_says_nothing_is_unreachable() -> None:
    async with CannedGateway(200, {}, silent=True) as gateway, GatewayClient(gateway.url, timeout=0.2) as client:
        with pytest.raises(GatewayUnreachable, match=r"nothing within 0\.2 s"):
            await client.batch(_ONE)


async def test_a_url_that_is_none_is_unreachable() -> None:
    async with GatewayClient("nonsense") as client:
        with pytest.raises(GatewayUnreachable, match="not an http address"):
            await client.batch(_ONE)
