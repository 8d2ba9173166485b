"""Plans, as values."""

from typing import Any

import pytest

from gateway.batch.limits import Limits
from gateway.batch.operation import Envelope, Operation
from gateway.batch.plan import make_plan
from gateway.batch.routes import HeaderPolicy, Route, RouteTable
from gateway.batch.step import Plan, Step, fixed_path
from gateway.errors import Problem
from gateway.messages import Reason
from tests.support.batches import ROUTES, envelope, plan, problems, rules

USERS, ORDERS, ANY = ROUTES.routes


def op(name: str, path: str = "/any", **fields: Any) -> dict[str, Any]:
    return {"name": name, "path": path, **fields}


def shape(made: Plan) -> list[tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int]]:
    """What each step needs, comes after, is followed by, and its stage."""
    return [(step.needs, step.after, step.followers, step.stage) for step in made.steps]


def test_a_whole_plan() -> None:
    user = Operation("/requests/0", "/users/1", ("/users/1",), name="user")
    orders = Operation("/requests/1", "/orders", ("/orders",), headers=(("x-b", ("2",)),), depends_on=("user",))
    given = Envelope((user, orders), headers=(("x-a", ("1",)),))
    assert make_plan(given, ROUTES, Limits()) == Plan(
        envelope=given,
        steps=(
            Step(0, user, USERS, (("x-a", ("1",)),), (), (), (1,), (), 1),
            Step(1, orders, ORDERS, (("x-a", ("1",)), ("x-b", ("2",))), (0,), (), (), (), 2),
        ),
        top=(0, 1),
        names={"user": 0},
    )


def test_a_diamond_with_a_forward_reference() -> None:
    made = plan(
        envelope(
            op("d", "/any/${result=b:$.x}/${result=c:$.x}"),
            op("b", "/any?a=${result=a:$.x}"),
            op("c", headers={"x-a": "${header=a:etag}"}),
            op("a"),
        )
    )
    assert shape(made) == [
        ((1, 2), (), (), 3),
        ((3,), (), (0,), 2),
        ((3,), (), (0,), 2),
        ((), (), (1, 2), 1),
    ]


def test_after_waits_for_what_is_nested_too_and_takes_references_along() -> None:
    made = plan(
        envelope(
            op("parent", requests=[op("child", requests=[op("grandchild")])]),
            op("last", "/any/${status=parent}", after=["parent"]),
            op("both", after=["child"], dependsOn=["child"]),
        )
    )
    assert shape(made) == [
        ((), (), (1, 3), 1),
        ((0,), (), (2, 3, 4), 2),
        ((1,), (), (3, 4), 3),
        ((), (0, 1, 2), (), 4),
        ((1,), (2,), (), 4),
    ]
    assert [(step.nested, step.operation.label) for step in made.steps][:2] == [((1,), "parent"), ((2,), "child")]
    assert made.top == (0, 3, 4)


def test_every_problem_is_told_in_the_order_of_the_envelope() -> None:
    body = envelope(
        *[op(f"n{index}", "/any" if index != 2 else "any") for index in range(10)],
        op("n1", "/nowhere", dependsOn=["ghost"], after=["n2", "spirit"]),
        {"path": "/any/${result=phantom:$.a}/${item}", "methd": "GET"},
        op("n3", "/users", upstream="nobody", method="TRACE"),
        timeout=-1,
    )
    assert [(problem.pointer, problem.reason) for problem in problems(body)] == [
        ("/requests/2/path", Reason.PATH_NOT_ALLOWED),
        ("/requests/10/after/1", Reason.INVALID_REFERENCE),
        ("/requests/10/dependsOn/0", Reason.INVALID_REFERENCE),
        ("/requests/10/name", Reason.DUPLICATE_NAME),
        ("/requests/10/path", Reason.UNKNOWN_UPSTREAM),
        ("/requests/11/methd", Reason.INVALID_ENVELOPE),
        ("/requests/11/path", Reason.INVALID_REFERENCE),
        ("/requests/11/path", Reason.INVALID_REFERENCE),
        ("/requests/12/method", Reason.METHOD_NOT_ALLOWED),
        ("/requests/12/name", Reason.DUPLICATE_NAME),
        ("/requests/12/upstream", Reason.UNKNOWN_UPSTREAM),
        ("/timeout", Reason.INVALID_ENVELOPE),
    ]


def test_a_key_of_any_length_and_digits_has_a_place() -> None:
    key = "1" * 5000
    assert [problem.pointer for problem in problems(envelope("/any", **{key: 1}))] == [f"/{key}"]


@pytest.mark.parametrize(
    ("waits", "cycles"),
    [
        ({"a": ["a"]}, [("/requests/0", "a waits for itself")]),
        ({"a": ["b"], "b": ["a"]}, [("/requests/0", "a → b → a: each waits for the next, so none can start")]),
        (
            {"a": [], "b": ["d"], "c": ["b"], "d": ["c"]},
            [("/requests/1", "b → d → c → b: each waits for the next, so none can start")],
        ),
        (
            {"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"], "e": ["a"]},
            [("/requests/0", "a → b → a"), ("/requests/2", "c → d → c")],
        ),
    ],
)
def test_each_cycle_is_told_once_at_its_first_member(waits: dict[str, list[str]], cycles: list[tuple[str, str]]) -> None:
    found = problems(envelope(*[op(name, dependsOn=names) for name, names in waits.items()]))
    assert [(problem.pointer, problem.reason) for problem in found] == [(at, Reason.DEPENDENCY_CYCLE) for at, _ in cycles]
    assert all(problem.detail.startswith(says) for problem, (_, says) in zip(found, cycles, strict=True))


def test_cycles_through_references_nesting_and_after_are_cycles() -> None:
    assert problems(envelope(op("a", "/any/${result=a:$}")))[0].reason is Reason.DEPENDENCY_CYCLE
    assert problems(envelope(op("p", dependsOn=["c"], requests=[op("c")])))[0].pointer == "/requests/0"
    assert problems(envelope(op("p", requests=[op("c", after=["p"])])))[0].pointer == "/requests/0/requests/0"


def test_a_name_that_is_missing_many_times_costs_one_problem() -> None:
    names = [f"ghost{index}" for index in range(10_000)]
    found = problems(envelope(op("a", dependsOn=names)))
    assert [(problem.pointer, problem.detail) for problem in found] == [
        ("/requests/0/dependsOn", "10000 names, and a batch has at most 50 operations")
    ]


@pytest.mark.parametrize(
    ("path", "fixed"),
    [
        ("/users/1?x=1", "/users/1"),
        ("/users/${item}/x", "/users/"),
        ("/users/a${item}", "/users/"),
        ("/users?id=${item}", "/users"),
        ("/${item}", "/"),
    ],
)
def test_the_route_hangs_on_whole_segments_before_the_first_reference(path: str, fixed: str) -> None:
    body = envelope(op("list"), {"path": path, "forEach": "${result=list:$}"})
    table = RouteTable((Route("root", "/"),))
    assert fixed_path(plan(body, routes=table).steps[1].operation.target) == fixed


def test_two_upstreams_at_one_path_need_a_choice() -> None:
    table = RouteTable((Route("a", "/x"), Route("b", "/x")))
    assert problems(envelope("/x/1"), routes=table) == (
        Problem(
            "/requests/0/path", Reason.UNKNOWN_UPSTREAM, "several upstreams serve this path; say which with upstream: a, b"
        ),
    )
    assert plan(envelope({"path": "/x/1", "upstream": "b"}), routes=table).steps[0].route.upstream == "b"


def test_a_route_narrows_methods_and_how_many_it_takes() -> None:
    table = RouteTable((Route("a", "/login", methods=frozenset({"POST"}), max_per_batch=1), Route("a", "/")))
    found = problems(envelope({"path": "/login"}, {"path": "/%6Cogin", "method": "POST"}, "/other"), routes=table)
    assert [(problem.pointer, problem.reason) for problem in found] == [
        ("/requests/0/method", Reason.METHOD_NOT_ALLOWED),
        ("/requests/1", Reason.TOO_MANY_OPERATIONS),
    ]


def test_a_cookie_needs_an_upstream_that_forwards_cookies() -> None:
    body = envelope({"path": "/a", "headers": {"Cookie": "x=1"}}, {"path": "/b", "headers": {"cookie": "x=1"}})
    table = RouteTable((Route("a", "/a"), Route("b", "/b", policy=HeaderPolicy(forward=frozenset({"cookie"})))))
    assert [problem.pointer for problem in problems(body, routes=table)] == ["/requests/0/headers"]


def test_too_many_operations_are_told_before_each_is_looked_at() -> None:
    nested = op("a", requests=[{"path": "nowhere"} for _ in range(3)])
    found = problems(envelope(nested), rules(operations=3))
    assert found == (Problem("/requests", Reason.TOO_MANY_OPERATIONS, "4 operations, 3 are allowed in one batch"),)
