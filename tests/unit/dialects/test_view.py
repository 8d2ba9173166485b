import json
from typing import Any

import pytest

from gateway.batch.compile import Rules
from gateway.dialects.dialect import Asked
from gateway.dialects.view import View
from gateway.dialects.view_compile import compile_view
from gateway.errors import Problem, Refusal
from gateway.messages import Failure, Outcome, Reason, Request, Response
from gateway.pipeline import Answer, answer
from tests.support.batches import CONTEXT, ROUTES, Script, engine, envelope, ok, rules, send_nothing

RULES = Rules()
SCHEMA: dict[str, Any] = {
    "required": ["id"],
    "properties": {
        "id": {"type": "integer"},
        "limit": {"type": "integer", "default": 10, "maximum": 50},
        "tag": {"type": "string"},
    },
}
USER_AND_ORDERS = envelope(
    {"name": "user", "path": "/users/${param:$.id}"},
    {"name": "orders", "path": "/orders?user=${result=user:$.id}&limit=${param:$.limit}"},
)
ANSWERS: dict[str, Outcome] = {
    "/users/7": ok({"id": 7, "name": "Ada"}),
    "/orders?user=7&limit=10": ok(b'{"items": [{"id": 1.10}, {"id": 123456789012345678901234567890}]}'),
}


def view(body: bytes = USER_AND_ORDERS, select: Any = None, given: Rules = RULES, **schema: Any) -> View:
    return compile_view(body, schema or SCHEMA, select, given, ROUTES)


async def run(
    one: View, query: str = "id=7", body: bytes = b"", answers: dict[str, Outcome] | None = None
) -> tuple[Answer, list[Request]]:
    script = Script()
    script.answers = ANSWERS if answers is None else answers
    return await answer(Asked(body, query), one, CONTEXT, engine(script, RULES)), script.requests


def refused(one: View, query: str = "", body: bytes = b"") -> Refusal:
    with pytest.raises(Refusal) as caught:
        one.decode(Asked(body, query), RULES)
    return caught.value


async def test_parameters_are_filled_in_and_the_answer_is_the_native_one() -> None:
    answered, sent = await run(view())
    assert [request.target for request in sent] == ["/users/7", "/orders?user=7&limit=10"]
    assert (answered.status, dict(answered.headers)["batch-operations"]) == (200, "2")
    assert [entry["name"] for entry in json.loads(answered.body)["responses"]] == ["user", "orders"]


@pytest.mark.parametrize(("query", "body"), [("id=8&limit=3", b""), ("", b'{"id": 8, "limit": 3}')])
async def test_parameters_come_from_the_query_or_from_a_json_object(query: str, body: bytes) -> None:
    _, sent = await run(view(), query, body, answers={"/users/8": ok({"id": 8})})
    assert [request.target for request in sent] == ["/users/8", "/orders?user=8&limit=3"]


async def test_each_request_has_its_own_parameters() -> None:
    one = view()
    for number in ("1", "2"):
        _, sent = await run(one, f"id={number}")
        assert sent[0].target == f"/users/{number}"


@pytest.mark.parametrize(
    ("query", "body", "problems"),
    [
        ("", b"", [("/id", "id is required")]),
        ("id=x", b"", [("/id", 'id must be a whole number, got "x"')]),
        ("id=1&id=2", b"", [("/id", "id must be a whole number, got a list")]),
        ("id=1&tags=a&x=1", b"", [("/tags", "tags is not allowed"), ("/x", "x is not allowed")]),
        ("limit=99", b"", [("/limit", "limit must be at most 50, got 99"), ("/id", "id is required")]),
        ("", b'{"id": "7"}', [("/id", 'id must be a whole number, got "7"')]),
        ("", b'{"id": 7, "tag": null}', [("/tag", "tag must be a string, got null")]),
        ("", b'[7]', [("", "the parameters must be a JSON object")]),
        ("", b'{"id": 7, "id": 8}', [("", "id is given twice")]),
        ("id=7", b'{"id": 7}', [("", "parameters stand in the query or in the body, not in both")]),
    ],
)  # fmt: skip
def test_wrong_parameters_are_all_named_and_nothing_runs(query: str, body: bytes, problems: list[tuple[str, str]]) -> None:
    refusal = refused(view(), query, body)
    assert refusal.status == 422
    found = sorted(refusal.problems, key=lambda problem: problem.pointer)
    assert found == sorted(
        [Problem(pointer, Reason.INVALID_PARAMETER, detail) for pointer, detail in problems],
        key=lambda problem: problem.pointer,
    )


def test_a_body_that_is_no_json_is_400() -> None:
    refusal = refused(view(), body=b'{"id": 7')
    assert (refusal.status, refusal.reason) == (400, Reason.MALFORMED_JSON)


HOSTILE = [
    "a/b", "?x=1", "..", "../../admin", "a&b=c#d", "\r\nX-Evil: 1", "\n", "${result=user:$.secret}", "${param:$.id}",
    "%2F..%2F", "$${", "\u2028", '"},"x":{"', "",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_parameter_is_only_ever_data(text: str) -> None:
    one = view(
        envelope(
            {"name": "in-path", "path": "/users/${param:$.t}/x"},
            {"name": "in-query", "path": "/orders?q=${param:$.t}&end=1"},
            {"name": "in-header", "path": "/any", "headers": {"x-t": "t=${param:$.t}"}},
            {"name": "in-body", "path": "/any", "method": "POST", "body": {"t": "${param:$.t}", "s": "<${param:$.t}>"}},
        ),
        properties={"t": {"type": "string"}},
    )
    answered, sent = await run(one, "", json.dumps({"t": text}).encode(), answers={})
    statuses = {entry["name"]: entry["status"] for entry in json.loads(answered.body)["responses"]}
    by_place = {request.target.partition("?")[0].split("/")[1] + request.method: request for request in sent}
    assert json.loads(by_place["anyPOST"].body or b"") == {"t": text, "s": f"<{text}>"}
    query = by_place["ordersGET"].target
    assert query.startswith("/orders?q=")
    assert query.endswith("&end=1")
    assert set(query[len("/orders?q=") : -len("&end=1")]) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%"
    )
    if "usersGET" in by_place:
        assert by_place["usersGET"].target.count("/") == 3
        assert "?" not in by_place["usersGET"].target
    else:
        assert statuses["in-path"] == 422
    if "anyGET" in by_place:
        assert dict(by_place["anyGET"].headers)["x-t"] == f"t={text}"
    else:
        assert statuses["in-header"] == 422
    assert ("anyGET" in by_place) == text.isprintable()


async def test_a_parameter_cannot_lead_to_another_route_of_the_same_view() -> None:
    one = view(envelope("/users/${param:$.t}"), properties={"t": {"type": "string"}})
    for text in ("..%2Forders", "%2E%2E/orders", "..%5Corders"):
        _, sent = await run(one, f"t={text}", answers={"/x": ok()})
        assert [request.upstream for request in sent if not request.target.startswith("/users/")] == []


@pytest.mark.parametrize(
    ("select", "picked"),
    [
        ("$.user.name", b'"Ada"'),
        ("$.orders.items[*].id", b"[1.10,123456789012345678901234567890]"),
        ("$.user.missing", b"null"),
        ({"name": "$.user.name", "none": "$.user.missing"}, b'{"name":"Ada","none":null}'),
        ({"ids": "$.orders.items[*].id"}, b'{"ids":[1.10,123456789012345678901234567890]}'),
    ],
)
async def test_select_picks_from_the_bodies_by_name(select: Any, picked: bytes) -> None:
    answered, _ = await run(view(select=select))
    assert (answered.status, answered.body) == (200, picked)
    assert answered.headers == (("content-type", "application/json"), ("batch-operations", "2"), ("batch-failed", "0"))


async def test_select_sees_nested_ones_lists_of_children_and_texts() -> None:
    one = view(
        envelope(
            {"name": "user", "path": "/users/1", "requests": [{"name": "photo", "path": "/any/photo"}]},
            {"name": "each", "path": "/orders/${item:$.id}", "forEach": "${result=user:$.list[*]}"},
            {"path": "/any/unnamed"},
        ),
        {"photo": "$.photo", "each": "$.each", "all": "$.*"},
        properties={},
    )
    text = Response(200, (("content-type", "text/plain"),), b"smile")
    answers: dict[str, Outcome] = {"/users/1": ok({"list": [{"id": 1}, {"id": 2}]}), "/any/photo": text, "/orders/2": ok([2])}
    answered, _ = await run(one, "", b"", answers=answers)
    found = json.loads(answered.body)
    assert (found["photo"], found["each"], len(found["all"])) == ("smile", [{}, [2]], 3)


DEPENDS = "user failed, and this operation depends on it"


async def test_what_failed_is_null_and_errors_say_why() -> None:
    answers: dict[str, Outcome] = {"/users/7": ok({"error": "secret"}, 404)}
    answered, _ = await run(view(select={"user": "$.user", "orders": "$.orders.items"}), answers=answers)
    assert (answered.status, dict(answered.headers)["batch-failed"]) == (207, "2")
    assert json.loads(answered.body) == {
        "user": None,
        "orders": None,
        "errors": [
            {"operation": "user", "status": 404, "detail": "the upstream answered 404"},
            {"operation": "orders", "status": 424, "reason": "dependency-failed", "detail": DEPENDS},
        ],
    }  # fmt: skip


async def test_a_part_that_failed_leaves_the_others() -> None:
    answers: dict[str, Outcome] = ANSWERS | {"/orders?user=7&limit=10": Failure(Reason.UPSTREAM_TIMEOUT, "slow")}
    answered, _ = await run(view(select={"user": "$.user.name", "orders": "$.orders.items"}), answers=answers)
    assert (answered.status, json.loads(answered.body)) == (
        207,
        {
            "user": "Ada",
            "orders": None,
            "errors": [{"operation": "orders", "status": 504, "reason": "upstream-timeout", "detail": "slow"}],
        },
    )


async def test_a_child_that_failed_has_its_index() -> None:
    one = view(
        envelope({"name": "a", "path": "/any/list"}, {"name": "each", "path": "/any/${item}", "forEach": "${result=a:$[*]}"}),
        {"each": "$.each"},
        properties={},
    )
    answered, _ = await run(one, "", answers={"/any/list": ok([1, 2]), "/any/1": ok(status=500), "/any/2": ok("two")})
    assert (answered.status, json.loads(answered.body)) == (
        207,
        {
            "each": [None, "two"],
            "errors": [{"operation": "each", "index": 0, "status": 500, "detail": "the upstream answered 500"}],
        },
    )


async def test_a_single_path_to_what_failed_is_502() -> None:
    answered, _ = await run(view(select="$.user.name"), answers={"/users/7": ok(status=404)})
    assert (answered.status, dict(answered.headers)["content-type"]) == (502, "application/problem+json")
    problem = json.loads(answered.body)
    assert (problem["reason"], problem["detail"]) == ("dependency-failed", "user: the upstream answered 404")
    assert [error["operation"] for error in problem["errors"]] == ["user", "orders"]
    assert answered.finished is not None


async def test_a_single_path_is_answered_where_something_else_failed() -> None:
    answers: dict[str, Outcome] = ANSWERS | {"/orders?user=7&limit=10": ok(status=500)}
    answered, _ = await run(view(select="$.user.name"), answers=answers)
    assert (answered.status, answered.body) == (207, b'"Ada"')


async def test_a_selection_has_an_end() -> None:
    large = {f"n{number}": "$.user.blob" for number in range(8)}
    one = view(select=large, given=rules(value=100))
    answers: dict[str, Outcome] = ANSWERS | {"/users/7": ok({"id": 7, "blob": "x" * 1000})}
    answered, _ = await run(one, answers=answers)
    assert (answered.status, json.loads(answered.body)["reason"]) == (507, "answer-too-large")


@pytest.mark.parametrize(
    ("method", "is_safe"), [("GET", True), ("HEAD", True), ("OPTIONS", True), ("POST", False), ("DELETE", False)]
)
def test_a_view_is_safe_if_all_in_it_is(method: str, is_safe: bool) -> None:
    nested = {"path": "/any", "requests": [{"path": "/any", "requests": [{"path": "/any", "method": method}]}]}
    assert view(envelope(nested), properties={}).is_safe is is_safe


async def test_nothing_is_sent_for_parameters_that_are_refused() -> None:
    with pytest.raises(Refusal):
        await answer(Asked(b"", "id=x"), view(), CONTEXT, engine(send_nothing))
