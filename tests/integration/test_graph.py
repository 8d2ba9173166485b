"""Graph batches over real sockets: where they are taken, how the gateway's own address is known, and refusals on the way."""

import json
from typing import Any

from aiohttp import ClientSession

from tests.support.process import running_gateway
from tests.support.upstream import Arrival, ScriptedUpstream, respond_json


def batch(*urls: str) -> dict[str, Any]:
    return {"requests": [{"id": str(number), "method": "GET", "url": url} for number, url in enumerate(urls)]}


def configure(upstream: ScriptedUpstream, **sections: Any) -> dict[str, Any]:
    return {"upstreams": {"users": {"url": upstream.url, "routes": ["/users", "/v1.0/users"]}}, **sections}


def echo(arrival: Arrival) -> Any:
    return respond_json(arrival.target)


async def post(client: ClientSession, url: str, body: Any, **headers: str) -> tuple[int, Any]:
    async with client.post(url, json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_a_batch_is_taken_at_both_paths_and_below_its_own_host() -> None:
    async with ScriptedUpstream(echo) as upstream, running_gateway(configure(upstream)) as gateway, ClientSession() as client:
        for path in ("/$batch", "/v1.0/$batch"):
            status, answer = await post(client, gateway.url + path, batch("users/1", f"{gateway.url}/users/2"))
            assert (status, [one["body"] for one in answer["responses"]]) == (200, ["/users/1", "/users/2"])


async def test_only_a_trusted_proxy_may_say_what_the_host_is() -> None:
    asked = batch("https://api.example/v1.0/users/1")
    for proxies, status in (["127.0.0.0/8"], 200), ([], 400):
        async with ScriptedUpstream(echo) as upstream:
            config = configure(upstream, server={"trusted_proxies": proxies})
            async with running_gateway(config) as gateway, ClientSession() as client:
                told = {"X-Forwarded-Host": "api.example", "X-Forwarded-Proto": "https"}
                got, _ = await post(client, f"{gateway.url}/v1.0/$batch", asked, **told)
                assert (got, len(upstream.arrivals)) == (status, 1 if status == 200 else 0)


async def test_the_version_is_kept_where_the_setting_says_so() -> None:
    async with ScriptedUpstream(echo) as upstream:
        config = configure(upstream, dialects={"graph": {"paths": ["/v1.0/$batch"], "keep_version": True}})
        async with running_gateway(config) as gateway, ClientSession() as client:
            _, answer = await post(client, f"{gateway.url}/v1.0/$batch", batch("users/1", "/v1.0/users/2", "$0/x"))
            assert [one["body"] for one in answer["responses"]] == ["/v1.0/users/1", "/v1.0/users/2", "/v1.0/users/1/x"]
            assert (await post(client, f"{gateway.url}/$batch", batch("users/1")))[0] == 404


async def test_a_refusal_on_the_way_has_the_same_shape() -> None:
    async with ScriptedUpstream(echo) as upstream, running_gateway(configure(upstream)) as gateway:
        async with ClientSession() as client, client.post(f"{gateway.url}/$batch", data=b"x") as answer:
            error = json.loads(await answer.read())["error"]
            assert (answer.status, error["code"]) == (415, "unsupportedMediaType")
            assert error["innerError"]["request-id"] == answer.headers["x-request-id"]
            assert error["innerError"].keys() == {"request-id", "date"}
        assert upstream.arrivals == []


async def test_it_is_not_served_when_switched_off_or_when_only_stored_batches_are() -> None:
    for sections in ({"dialects": {"graph": {"enabled": False}}}, {"server": {"only_stored": True}}):
        async with (
            ScriptedUpstream(echo) as upstream,
            running_gateway(configure(upstream, **sections)) as gateway,
            ClientSession() as client,
        ):
            assert (await post(client, f"{gateway.url}/$batch", batch("users/1")))[0] == 404
