"""config/collector.yaml as it ships, over real sockets, asked as the vendor's generated clients ask."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import yaml

from tests.support.collector import CONFIG
from tests.support.process import Gateway, running_gateway
from tests.support.upstream import Arrival, ScriptedUpstream, respond, respond_json

CLIENT = {"Accept": "*/*", "Content-Type": "application/json", "User-Agent": "Swagger-Codegen/1.0.0/javascript"}
USER = '{"request_type":"newUser","event_timestamp":1700000000000,"send_timestamp":1700000000001,"user_id":"u1"}'
BROKEN = (
    '{"request_type":"updateTransaction","event_timestamp":1700000000000,"send_timestamp":1.0,"user_id":"u1","progress":100}'
)


@asynccontextmanager
async def collector(upstream: str) -> AsyncIterator[Gateway]:
    config: dict[str, Any] = yaml.safe_load(CONFIG.read_text("utf-8"))
    config["server"]["port"] = config["admin"]["port"] = config["server"]["drain_delay"] = 0
    async with running_gateway(config, {"COLLECTOR_URL": upstream}) as gateway:
        yield gateway


async def submit(gateway: Gateway, body: str, query: str = "customerId=acme") -> tuple[int, str, str]:
    """Status, content type and text of the answer."""
    async with (
        aiohttp.ClientSession(headers=CLIENT) as session,
        session.post(f"{gateway.url}/v2/batch?{query}", data=body) as response,
    ):
        return response.status, response.headers["content-type"], await response.text()


async def test_a_batch_of_a_generated_client() -> None:
    def service(arrival: Arrival) -> Any:
        return respond_json({"message": "gone"}, 410) if arrival.target.startswith("/v2/devices") else respond(202)

    async with ScriptedUpstream(service) as upstream, collector(upstream.url) as gateway:
        assert await submit(gateway, f'{{"batch":[{USER}]}}') == (
            202, "application/json", '[{"code":202,"errors":[],"request":null}]',
        )  # fmt: skip
        device = USER.replace("newUser", "newDevice")
        status, _, text = await submit(gateway, f'{{"batch":[{USER},{BROKEN},null,{device}]}}', "customer_id=acme")
        assert status == 207
        accepted, invalid, nothing, refused = json.loads(text)
        assert accepted == {"code": 202, "errors": [], "request": None}
        assert (invalid["code"], len(invalid["errors"]), nothing["code"], refused["code"]) == (400, 2, 400, 410)
        assert f'"request":{BROKEN}' in text
        assert refused["request"] == json.loads(device)
        arrivals = [(one.method, one.target, one.body) for one in [(await upstream.arrived(n)).arrival for n in (1, 2, 3)]]
        assert sorted(arrivals) == sorted(
            [
                ("POST", "/v2/users?customerId=acme", USER.encode()),
                ("POST", "/v2/users?customerId=acme", USER.encode()),
                ("POST", "/v2/devices?customerId=acme", device.encode()),
            ]
        )


async def test_elements_reach_the_service_at_the_same_time() -> None:
    async with ScriptedUpstream() as upstream, collector(upstream.url) as gateway:
        task = asyncio.create_task(submit(gateway, f'{{"batch":[{",".join([USER] * 5)}]}}'))
        held = [await upstream.arrived(number) for number in range(1, 6)]
        for exchange in held:
            exchange.answer(respond(202))
        assert (await task)[0] == 202


async def test_what_is_no_batch_is_refused_in_json_and_nothing_else_is_served() -> None:
    async with ScriptedUpstream() as upstream, collector(upstream.url) as gateway:
        for body, query in ((f'{{"batch":[{USER}]}}', ""), ("{", "customerId=a"), (f"[{USER}]", "customerId=a")):
            status, kind, text = await submit(gateway, body, query)
            assert (status, kind, json.loads(text)["code"]) == (400, "application/json", 400)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{gateway.url}/batch", json={"requests": [{"path": "/v2/users"}]}) as response,
        ):
            assert response.status in (404, 405)
        async with aiohttp.ClientSession() as session, session.get(f"{gateway.url}/v2/batch") as response:
            assert (response.status, response.headers["allow"]) == (405, "POST")
            assert (await response.json())["code"] == 405
