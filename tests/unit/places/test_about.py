import dataclasses
import json
from typing import Any

from gateway.batch.compile import Rules
from gateway.batch.limits import Limits
from gateway.batch.routes import HeaderPolicy, Route
from gateway.dialects.dialect import Asked
from gateway.errors import Refusal
from gateway.messages import Reason
from gateway.places.about import About, Stored, describe_gateway, describe_limits
from gateway.places.batches import Batches
from gateway.places.place import Place
from gateway.places.plans import Plans
from gateway.places.streaming import StreamedBatches
from tests.support.batches import CONTEXT, NATIVE, engine, send_nothing

ENGINE = engine(send_nothing)
ROUTES = (
    Route("users", "/users", policy=HeaderPolicy(set=(("authorization", "hush"),))),
    Route("orders", "/orders", methods=frozenset({"POST", "GET"}), max_per_batch=5),
)
STORED = Stored("/views/one", ("POST",), "One.", {"properties": {"id": {}}})
PLACES: dict[str, dict[str, Place]] = {
    "/batch": {"POST": StreamedBatches(Batches(NATIVE, ENGINE), 15.0)},
    "/other": {"POST": Batches(NATIVE, ENGINE)},
    "/batch/plan": {"POST": Plans(NATIVE, ENGINE)},
}


def described(only_stored: bool = False) -> dict[str, Any]:
    rules = Rules(filters=True)
    places, stored = ({}, [STORED]) if only_stored else (PLACES, [])
    found: dict[str, Any] = json.loads(describe_gateway(places, ROUTES, stored, rules, only_stored))
    return found


def test_routes_have_prefix_methods_and_the_name_of_the_upstream() -> None:
    assert described()["routes"] == [
        {"path": "/users", "methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], "upstream": "users"},
        {"path": "/orders", "methods": ["GET", "POST"], "upstream": "orders", "maxPerBatch": 5},
    ]


def test_dialects_are_those_that_are_served() -> None:
    assert described()["dialects"] == [{"name": "native", "paths": ["/batch", "/other"]}]
    assert described(only_stored=True)["dialects"] == []


def test_stored_batches_stand_in_place_of_routes_where_clients_can_name_none() -> None:
    found = described(only_stored=True)
    assert "routes" not in found
    assert found["views"] == [
        {"path": "/views/one", "methods": ["POST"], "description": "One.", "parameters": {"properties": {"id": {}}}}
    ]
    assert "views" not in described()


def test_every_limit_of_a_batch_is_told_with_times_in_milliseconds() -> None:
    found = describe_limits(Limits(operations=7, operation_timeout=2.5))
    assert len(found) == len(dataclasses.fields(Limits))
    assert (found["operations"], found["operationTimeout"], found["timeout"], found["body"]) == (7, 2500, 30000, 1 << 20)


def test_capabilities_are_what_is_really_there() -> None:
    assert described()["capabilities"]["plan"] is True
    assert described()["capabilities"]["coalescing"] is True
    assert described()["capabilities"]["streaming"] == ["application/x-ndjson", "text/event-stream"]
    assert described()["capabilities"]["references"] == {"descendants": False, "filters": True}
    assert described(only_stored=True)["capabilities"]["plan"] is False


async def test_it_is_answered_as_json() -> None:
    answer = await About(b"{}").serve(Asked(b""), CONTEXT)
    assert (answer.status, answer.headers, answer.body) == (200, (("content-type", "application/json"),), b"{}")


def test_it_refuses_with_problem_details() -> None:
    refused = About(b"{}").refuse(Refusal(Reason.OVERLOADED, "later"), "request-1")
    assert (refused.status, json.loads(refused.body)["reason"]) == (503, "overloaded")
