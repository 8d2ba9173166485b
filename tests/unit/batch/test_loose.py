"""The quick planning makes the plan that the thorough one makes, or gives up."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.batch.limits import Limits
from gateway.batch.loose import plan_loose
from gateway.batch.operation import Envelope
from gateway.batch.plan import Planning
from gateway.batch.routes import Route, RouteTable
from gateway.dialects.dialect import Asked
from gateway.errors import Refusal
from tests.support.batches import NATIVE, ROUTES, envelope, rules

A = {"name": "a", "path": "/users/1"}
LOOSE: list[list[Any]] = [
    ["/users/1", "/orders/2?x=y"],
    [{"name": "a", "path": "/users/1", "headers": {"x-a": "b"}}, {"method": "POST", "path": "/any", "body": {"n": 1}}],
    [{"path": "/users/1", "timeout": 5, "select": "$.id", "omit": True}],
    [A, {"path": "/users/2", "dependsOn": ["a"]}, "/any"],
    [A, {"path": "/users/2", "after": ["a"]}],
    [A, {"path": "/users/${result=a:$.id}"}, {"path": "/any", "headers": {"x-a": "${header=a:etag}"}}],
    [A, {"path": "/any/${status=a}", "after": ["a"]}, {"path": "/any", "after": ["a"], "dependsOn": ["a", "a"]}],
    [A, {"path": "/any/${item:$.id}/${index}", "forEach": "${result=a:$[*]}"}],
]
KNOTTED: list[list[Any]] = [
    [{"path": "/users/2", "dependsOn": ["a"]}, A],
    [{"path": "/users/2", "after": ["a"]}, A],
    [{"path": "/users/${result=a:$.id}"}, A],
    [{"name": "a", "path": "/users/${result=a:$.id}"}],
    [{"path": "/users/${result=ghost:$.id}"}],
    [A, {"path": "/users/${item}"}],
    [{"path": "/users/1", "requests": [{"path": "/users/2"}]}],
    [A, A],
    ["/nowhere"],
    [{"path": "/users/1", "headers": {"cookie": "a=b"}}],
    [{"path": "/users/1", "upstream": "orders"}],
]


def decode(operations: list[Any]) -> Envelope:
    return NATIVE.decode(Asked(envelope(*operations, headers={"x-all": "1"})), rules())


@pytest.mark.parametrize("operations", LOOSE)
def test_a_batch_without_knots_is_planned_alike(operations: list[Any]) -> None:
    decoded = decode(operations)
    quick = plan_loose(decoded, ROUTES, Limits())
    assert quick is not None
    assert quick == Planning(decoded, ROUTES, Limits()).plan()


@pytest.mark.parametrize("operations", KNOTTED)
def test_anything_else_is_left_to_the_thorough_one(operations: list[Any]) -> None:
    assert plan_loose(decode(operations), ROUTES, Limits()) is None


@given(st.data())
def test_whatever_waits_for_what_both_make_one_plan_or_only_one_of_them_makes_it(data: st.DataObject) -> None:
    names = st.lists(st.sampled_from("abcd"), max_size=2)
    operations = []
    for name in "abcd":
        path = "/any" + "".join(f"/${{result={other}:$.id}}" for other in data.draw(names))
        operations.append({"name": name, "path": path, "dependsOn": data.draw(names), "after": data.draw(names)})
    decoded = decode(operations)
    limits = Limits(dependency_depth=data.draw(st.integers(1, 4)), references=data.draw(st.integers(0, 4)))
    quick = plan_loose(decoded, ROUTES, limits)
    try:
        thorough = Planning(decoded, ROUTES, limits).plan()
    except Refusal:
        assert quick is None
        return
    in_order = all(earlier < step.index for step in thorough.steps for earlier in step.needs + step.after)
    assert quick == (thorough if in_order else None)


def test_shares_methods_and_counts_are_left_to_it_too() -> None:
    decoded = decode(["/users/1", "/users/2"])
    assert plan_loose(decoded, ROUTES, Limits(operations=1)) is None
    waiting = decode([A, {"path": "/users/${result=a:$.id}/${result=a:$.id}"}])
    assert plan_loose(waiting, ROUTES, Limits(references=1)) is None
    assert plan_loose(waiting, ROUTES, Limits(references_per_operation=1)) is None
    assert plan_loose(waiting, ROUTES, Limits(dependency_depth=1)) is None
    assert plan_loose(decoded, RouteTable((Route("users", "/users", max_per_batch=5),)), Limits()) is None
    assert plan_loose(decoded, RouteTable((Route("users", "/users", methods=frozenset({"POST"})),)), Limits()) is None
