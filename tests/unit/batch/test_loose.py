"""The quick planning makes the plan that the thorough one makes, or gives up."""

from typing import Any

import pytest

from gateway.batch.limits import Limits
from gateway.batch.loose import plan_loose
from gateway.batch.operation import Envelope
from gateway.batch.plan import Planning
from gateway.batch.routes import Route, RouteTable
from tests.support.batches import NATIVE, ROUTES, envelope, rules

LOOSE: list[list[Any]] = [
    ["/users/1", "/orders/2?x=y"],
    [{"name": "a", "path": "/users/1", "headers": {"x-a": "b"}}, {"method": "POST", "path": "/any", "body": {"n": 1}}],
    [{"path": "/users/1", "timeout": 5, "select": "$.id", "omit": True}],
]
KNOTTED: list[list[Any]] = [
    [{"name": "a", "path": "/users/1"}, {"path": "/users/2", "dependsOn": ["a"]}],
    [{"name": "a", "path": "/users/1"}, {"path": "/users/2", "after": ["a"]}],
    [{"name": "a", "path": "/users/1"}, {"path": "/users/${result=a:$.id}"}],
    [{"path": "/users/1", "requests": [{"path": "/users/2"}]}],
    [{"name": "a", "path": "/users/1"}, {"name": "a", "path": "/users/2"}],
    ["/nowhere"],
    [{"path": "/users/1", "headers": {"cookie": "a=b"}}],
    [{"path": "/users/1", "upstream": "orders"}],
]


def decode(operations: list[Any]) -> Envelope:
    return NATIVE.decode(envelope(*operations, headers={"x-all": "1"}), rules())


@pytest.mark.parametrize("operations", LOOSE)
def test_a_batch_without_knots_is_planned_alike(operations: list[Any]) -> None:
    decoded = decode(operations)
    quick = plan_loose(decoded, ROUTES, Limits())
    assert quick is not None
    assert quick == Planning(decoded, ROUTES, Limits()).plan()


@pytest.mark.parametrize("operations", KNOTTED)
def test_anything_else_is_left_to_the_thorough_one(operations: list[Any]) -> None:
    assert plan_loose(decode(operations), ROUTES, Limits()) is None


def test_shares_methods_and_counts_are_left_to_it_too() -> None:
    decoded = decode(["/users/1", "/users/2"])
    assert plan_loose(decoded, ROUTES, Limits(operations=1)) is None
    assert plan_loose(decoded, RouteTable((Route("users", "/users", max_per_batch=5),)), Limits()) is None
    assert plan_loose(decoded, RouteTable((Route("users", "/users", methods=frozenset({"POST"})),)), Limits()) is None
