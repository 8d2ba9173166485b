"""Stored batches, plans and what a gateway says of itself, as a client of the real process meets them."""

import re
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.support.process import Gateway, running_gateway
from tests.support.upstream import Answer, Arrival, ScriptedUpstream, respond_json

OVERVIEW: dict[str, Any] = {
    "description": "A user with the latest orders.",
    "envelope": {
        "requests": [
            {"name": "user", "path": "/users/${param:$.id}"},
            {"name": "orders", "path": "/orders?user=${result=user:$.id}&limit=${param:$.limit}"},
        ]
    },
    "parameters": {
        "required": ["id"],
        "properties": {"id": {"type": "integer"}, "limit": {"type": "integer", "maximum": 50, "default": 10}},
    },
    "select": {"user": "$.user", "orders": "$.orders.items[*].id"},
}
RENAME: dict[str, Any] = {
    "envelope": {"requests": [{"path": "/users/${param:$.id}", "method": "PUT", "body": {"name": "${param:$.name}"}}]},
    "parameters": {"required": ["id", "name"], "properties": {"id": {"type": "string"}, "name": {"type": "string"}}},
}


def script(arrival: Arrival) -> Answer:
    if arrival.target.startswith("/orders"):
        return respond_json({"items": [{"id": 1}, {"id": 2}]})
    return respond_json({"id": 7, "name": "Ada"}) if arrival.target == "/users/7" else respond_json({}, 404)


def config(upstream: ScriptedUpstream, **server: Any) -> dict[str, Any]:
    return {
        "server": server,
        "upstreams": {"shop": {"url": upstream.url, "routes": ["/users", "/orders"], "headers": {"set": {"x-key": "hush"}}}},
        "views": {"overview": OVERVIEW, "rename": RENAME},
    }


async def ask(gateway: Gateway, method: str, path: str, json: Any = None) -> tuple[int, Any, Mapping[str, str]]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, URL(gateway.url + path, encoded=True), json=json) as response,
    ):
        body = await response.json(content_type=None) if method != "HEAD" else await response.read()
        return response.status, body, response.headers


GOOD = ('route="/views/overview"', 'method="GET"', 'code="200"')


async def test_a_view_is_asked_for_by_its_parameters() -> None:
    async with ScriptedUpstream(script) as upstream, running_gateway(config(upstream)) as gateway:
        picked = {"user": {"id": 7, "name": "Ada"}, "orders": [1, 2]}
        status, body, headers = await ask(gateway, "GET", "/views/overview?id=7")
        assert (status, body, headers["cache-control"], headers["batch-operations"]) == (200, picked, "no-store", "2")
        assert [one.target for one in upstream.arrivals] == ["/users/7", "/orders?user=7&limit=10"]
        assert (await ask(gateway, "POST", "/views/overview", {"id": 7, "limit": 3}))[:2] == (200, picked)
        assert upstream.arrivals[-1].target == "/orders?user=7&limit=3"
        status, body, _ = await ask(gateway, "GET", "/views/overview?id=9")
        assert (status, body["user"], [error["status"] for error in body["errors"]]) == (207, None, [404, 424])
        async with aiohttp.ClientSession() as session, session.get(gateway.admin_url + "/metrics") as response:
            page = await response.text()
        (count,) = [line for line in page.splitlines() if "requests_total" in line and {*GOOD} <= set(re.split("[{},]", line))]
        assert count.endswith(" 1.0")
    (line, *_) = gateway.events("batch")
    assert line["dialect"] == "view"


async def test_wrong_parameters_are_refused_and_nothing_is_sent() -> None:
    async with ScriptedUpstream(script) as upstream, running_gateway(config(upstream)) as gateway:
        status, problem, _ = await ask(gateway, "GET", "/views/overview?id=x&limit=51&more=1")
        assert (status, problem["reason"]) == (422, "invalid-parameter")
        assert sorted(error["pointer"] for error in problem["errors"]) == ["/id", "/limit", "/more"]
        assert (await ask(gateway, "GET", "/views/nothing"))[0] == 404
        assert upstream.arrivals == []


@pytest.mark.parametrize("text", ["%2F..%2Fadmin", "..", "7%3Fadmin%3D1", "%24%7Bresult%3Duser%3A%24%7D", "a%0D%0AX-Evil:1"])
async def test_a_parameter_stays_in_its_place(text: str) -> None:
    view = {
        "envelope": {"requests": [{"path": "/users/${param:$.id}/x", "headers": {"x-id": "${param:$.id}"}}]},
        "parameters": {"properties": {"id": {"type": "string"}}},
    }
    async with (
        ScriptedUpstream(lambda _: respond_json({})) as upstream,
        running_gateway(config(upstream) | {"views": {"one": view}}) as gateway,
    ):
        status, body, _ = await ask(gateway, "GET", f"/views/one?id={text}")
        for arrival in upstream.arrivals:
            assert (arrival.target.count("/"), arrival.target.count("?"), arrival.header("x-evil")) == (3, 0, None)
        if not upstream.arrivals:
            assert (status, body["responses"][0]["status"]) == (207, 422)


async def test_a_view_that_changes_something_takes_no_get() -> None:
    async with ScriptedUpstream(lambda _: respond_json({})) as upstream, running_gateway(config(upstream)) as gateway:
        status, _, headers = await ask(gateway, "GET", "/views/rename?id=7&name=Bo")
        assert (status, headers["allow"], upstream.arrivals) == (405, "POST", [])
        status, _, _ = await ask(gateway, "POST", "/views/rename", {"id": "7", "name": "Bo"})
        (arrival,) = upstream.arrivals
        assert (status, arrival.method, arrival.body) == (200, "PUT", b'{"name":"Bo"}')


async def test_a_gateway_says_what_it_takes() -> None:
    async with ScriptedUpstream() as upstream, running_gateway(config(upstream)) as gateway:
        status, about, headers = await ask(gateway, "GET", "/batch")
        assert (status, headers["content-type"]) == (200, "application/json")
        assert about["limits"]["operations"] == 50
        assert {"name": "native", "paths": ["/batch"]} in about["dialects"]
        assert [route["path"] for route in about["routes"]] == ["/users", "/orders"]
        assert [(view["path"], view["methods"]) for view in about["views"]] == [
            ("/views/overview", ["GET", "HEAD", "POST"]),
            ("/views/rename", ["POST"]),
        ]
        assert "hush" not in str(about)
        assert upstream.url not in str(about)
        status, body, headers = await ask(gateway, "HEAD", "/batch")
        assert (status, body, headers["content-type"]) == (200, b"", "application/json")
        status, _, headers = await ask(gateway, "PUT", "/batch", {})
        assert (status, headers["allow"]) == (405, "POST, GET, HEAD")


async def test_a_plan_is_made_and_nothing_is_sent() -> None:
    batch = {"requests": [{"name": "user", "path": "/users/7"}, {"path": "/orders?user=${result=user:$.id}"}]}
    async with ScriptedUpstream() as upstream, running_gateway(config(upstream)) as gateway:
        status, plan, _ = await ask(gateway, "POST", "/batch/plan", batch)
        assert (status, [(one["stage"], one["dependsOn"]) for one in plan["operations"]]) == (200, [(1, []), (2, ["user"])])
        refused = [await ask(gateway, "POST", path, {"requests": [{"path": "/no"}]}) for path in ("/batch", "/batch/plan")]
        assert [status for status, _, _ in refused] == [422, 422]
        assert refused[0][1] | {"instance": ""} == refused[1][1] | {"instance": ""}
        assert upstream.arrivals == []


async def test_an_allow_list_takes_stored_batches_only() -> None:
    async with ScriptedUpstream(script) as upstream, running_gateway(config(upstream, only_stored=True)) as gateway:
        for path in ("/batch", "/api/2.3/batch", "/$batch", "/v1.0/$batch"):
            status, problem, _ = await ask(gateway, "POST", path, {"requests": [{"path": "/users/7"}]})
            assert (status, problem["reason"]) == (404, "not-found")
            assert problem["detail"] == "only stored batches are taken here: /views/overview, /views/rename"
        assert (await ask(gateway, "POST", "/batch/plan", {"requests": [{"path": "/users/7"}]}))[0] == 404
        assert upstream.arrivals == []
        _, about, _ = await ask(gateway, "GET", "/batch")
        assert "routes" not in about
        assert (about["dialects"], about["capabilities"]["plan"], about["capabilities"]["streaming"]) == ([], False, [])
        assert [view["path"] for view in about["views"]] == ["/views/overview", "/views/rename"]
        assert (await ask(gateway, "GET", "/views/overview?id=7"))[0] == 200
