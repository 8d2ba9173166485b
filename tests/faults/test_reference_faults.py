"""HAZARDS, table B: references. At plan time 422 for the whole envelope; at run time one operation that is not sent."""

from typing import Any

import pytest

from gateway.messages import Failure, Outcome, Reason
from tests.support.batches import Ran, envelope, ok, problems, run

A = {"name": "a", "path": "/any/a"}


def use(place: str, reference: str) -> dict[str, Any]:
    """An operation with a reference in a path, a query, a header or a body."""
    match place:
        case "path":
            return {"name": "b", "path": f"/any/b/{reference}"}
        case "query":
            return {"name": "b", "path": f"/any/b?q={reference}"}
        case "header":
            return {"name": "b", "path": "/any/b", "headers": {"x-q": reference}}
        case _:
            return {"name": "b", "path": "/any/b", "method": "POST", "body": {"q": f"<{reference}>", "t": reference}}


async def run_with(place: str, value: Any, reference: str = "${result=a:$.v}") -> Ran:
    return await run(envelope(A, use(place, reference)), {"/any/a": ok({"v": value})})


def refused(reference: str) -> list[tuple[str, Reason]]:
    return [(problem.pointer, problem.reason) for problem in problems(envelope(A, use("query", reference)))]


B1_B2 = {
    "B1-syntax": "${result=a:$.[}",
    "B1-empty": "${result=a:}",
    "B1-unclosed": "${result=a:$.b",
    "B1-257-characters": "${result=a:$." + "a" * 255 + "}",
    "B1-17-segments": "${result=a:$" + ".a" * 17 + "}",
    "B1-900-segments": "${result=a:$" + ".a" * 900 + "}",
    "B2-descendants": "${result=a:$..b}",
    "B2-filter": "${result=a:$[?(@.b > 1)]}",
    "B2-regex": '${result=a:$[?(@.b =~ "(a+)+$")]}',
    "B2-arithmetic": "${result=a:$.b * 3000000}",
    "B2-sub": "${result=a:$.b.`sub(/(a+)+/, x)`}",
    "B2-split": "${result=a:$.b.`split(-, 0, -1)`}",
    "B2-sorted": "${result=a:$.b.`sorted`}",
    "B2-parent": "${result=a:$.b.`parent`}",
    "B2-where": "${result=a:$.b where $.c}",
    "B2-script": "${result=a:$[(@.length-1)]}",
    "B2-union": "${result=a:$.b|$.c}",
    "B3-unknown": "${result=ghost:$.b}",
    "B9-item-outside-forEach": "${item:$.b}",
    "B9-index-outside-forEach": "${index}",
}


@pytest.mark.parametrize("reference", B1_B2.values(), ids=B1_B2)
def test_what_cannot_be_read_is_an_invalid_reference(reference: str) -> None:
    assert refused(reference) == [("/requests/1/path", Reason.INVALID_REFERENCE)]


def test_b1_says_at_which_column() -> None:
    (problem,) = problems(envelope(A, use("query", "${result=a:$.[}")))
    assert "column 10" in problem.detail


@pytest.mark.parametrize("names", [["a"], ["a", "b"], ["a", "b", "c"]])
def test_b3_cycles_name_their_members(names: list[str]) -> None:
    following = [*names[1:], names[0]]
    body = envelope(
        *[{"name": one, "path": f"/any/${{result={next_}:$}}"} for one, next_ in zip(names, following, strict=True)]
    )
    (problem,) = problems(body)
    assert (problem.pointer, problem.reason) == ("/requests/0", Reason.DEPENDENCY_CYCLE)
    assert all(name in problem.detail for name in names)


def chain(length: int) -> bytes:
    first: list[Any] = [{"name": "n0", "path": "/any"}]
    return envelope(*first, *[{"name": f"n{i}", "path": f"/any?x=${{status=n{i - 1}}}"} for i in range(1, length)])


async def test_b3_a_chain_of_10_runs() -> None:
    assert (await run(chain(10))).statuses == [200] * 10


def test_b3_a_chain_of_11_does_not() -> None:
    assert [problem.pointer for problem in problems(chain(11))] == ["/requests/10"]


async def test_b4_a_reference_may_point_forward_and_the_answer_keeps_the_order_asked() -> None:
    ran = await run(envelope(use("path", "${result=a:$.v}"), A), {"/any/a": ok({"v": 1})})
    assert [request.target for request in ran.sent] == ["/any/a", "/any/b/1"]
    assert [entry["name"] for entry in ran.responses] == ["b", "a"]


@pytest.mark.parametrize("place", ["path", "query", "header", "body"])
async def test_b5_nothing_there_is_424_and_so_are_its_dependents(place: str) -> None:
    body = envelope(A, use(place, "${result=a:$.w}"), {"path": "/any/c", "dependsOn": ["b"]})
    ran = await run(body, {"/any/a": ok({"v": 1})})
    assert (ran.statuses, ran.reasons) == ([200, 424, 424], [None, "reference-unresolved", "dependency-failed"])
    assert ran.responses[2]["error"]["cause"] == "b"
    assert len(ran.sent) == 1


@pytest.mark.parametrize("place", ["path", "query", "header"])
@pytest.mark.parametrize(("value", "text"), [(True, "true"), (1.5, "1.5"), (b"1.50", "1.50"), ("x", "x"), ([1, "b"], "1,b")])
async def test_b6_scalars_and_lists_of_them_become_text(place: str, value: Any, text: str) -> None:
    raw = value if isinstance(value, bytes) else None
    outcome = ok(b'{"v":%s}' % raw) if raw is not None else ok({"v": value})
    ran = await run(envelope(A, use(place, "${result=a:$.v}")), {"/any/a": outcome})
    request = ran.sent[1]
    sent = dict(request.headers)["x-q"] if place == "header" else request.target
    assert sent == {"path": f"/any/b/{text}", "query": f"/any/b?q={text}", "header": text}[place]


@pytest.mark.parametrize("place", ["path", "query", "header", "body"])
@pytest.mark.parametrize(
    "value", [None, {}, [], [None], [[1]]], ids=["null", "object", "empty", "null-in-list", "list-in-list"]
)
async def test_b6_the_rest_has_no_text(place: str, value: Any) -> None:
    ran = await run_with(place, value)
    assert (ran.statuses, ran.reasons) == ([200, 424], [None, "reference-unresolved"])


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("../../admin", "..%2F..%2Fadmin"),
        ("a/b", "a%2Fb"),
        ("a?x", "a%3Fx"),
        ("#", "%23"),
        ("%2e%2e", "%252e%252e"),
        ("..;", "..%3B"),
    ],
)
async def test_b7_a_value_is_one_segment(value: str, sent: str) -> None:
    assert (await run_with("path", value)).sent[1].target == f"/any/b/{sent}"


@pytest.mark.parametrize("value", ["", ".", "..", "a\r\nb", "\x00"])
async def test_b7_or_the_operation_is_not_sent(value: str) -> None:
    ran = await run_with("path", value)
    assert (ran.statuses, ran.reasons, len(ran.sent)) == ([200, 422], [None, "path-not-allowed"], 1)


@pytest.mark.parametrize(
    "value", ["a\r\nx: y", "\n", "a\x00", "€", "x" * 9216, " a"], ids=["crlf", "lf", "nul", "euro", "9k", "blank"]
)
async def test_b8_a_value_that_no_header_can_carry(value: str) -> None:
    ran = await run_with("header", value)
    assert (ran.statuses, ran.reasons, len(ran.sent)) == ([200, 422], [None, "invalid-header"], 1)


B9 = {
    "host": ({"path": "${result=a:$.v}/x"}, "/requests/1/path"),
    "scheme": ({"path": "http://${result=a:$.v}/x"}, "/requests/1/path"),
    "upstream": ({"path": "/any", "upstream": "${result=a:$.v}"}, "/requests/1/upstream"),
    "method": ({"path": "/any", "method": "${result=a:$.v}"}, "/requests/1/method"),
    "header-name": ({"path": "/any", "headers": {"${result=a:$.v}": "x"}}, "/requests/1/headers/${result=a:$.v}"),
    "name": ({"path": "/any", "name": "${result=a:$.v}"}, "/requests/1/name"),
}


@pytest.mark.parametrize(("operation", "pointer"), B9.values(), ids=B9)
def test_b9_what_cannot_be_referenced_into(operation: dict[str, Any], pointer: str) -> None:
    assert pointer in [problem.pointer for problem in problems(envelope(A, operation))]


@pytest.mark.parametrize(
    ("value", "path"),
    [("x" * 65_536, "$.v"), ([1] * 1001, "$.v[*]"), (["x" * 1000] * 100, "$.v[*]"), ([[0] * 999] * 101, "$.v[*][*]")],
    ids=["65-KiB", "1001-matches", "list", "visits"],
)
async def test_b10_a_value_that_is_too_large(value: Any, path: str) -> None:
    ran = await run_with("body", value, f"${{result=a:{path}}}")
    assert (ran.statuses, ran.reasons, len(ran.sent)) == ([200, 422], [None, "reference-too-large"], 1)


async def test_b10_a_path_that_matches_one_large_value_many_times_is_not_put_together() -> None:
    union = ",".join(["'v'"] * 50)
    ran = await run_with("body", "x" * 2_000_000, f"${{result=a:$[{union}]}}")
    assert ran.reasons == [None, "reference-too-large"]


FAILED: dict[str, Outcome] = {
    "404": ok({"v": 1}, 404),
    "500": ok({"v": 1}, 500),
    "timeout": Failure(Reason.UPSTREAM_TIMEOUT, "late"),
}


@pytest.mark.parametrize("outcome", FAILED.values(), ids=FAILED)
async def test_b11_a_failed_dependency_fails_its_dependents_only(outcome: Outcome) -> None:
    ran = await run(envelope(A, use("path", "${result=a:$.v}"), "/any/c"), {"/any/a": outcome})
    assert ran.reasons[1:] == ["dependency-failed", None]
    assert ran.responses[1]["error"]["cause"] == "a"
    assert [request.target for request in ran.sent] == ["/any/a", "/any/c"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"{"], ids=["empty", "html", "truncated"])
async def test_b11_a_body_that_is_no_json_leaves_references_unresolved(body: bytes) -> None:
    ran = await run(envelope(A, use("path", "${result=a:$.v}"), "/any/c"), {"/any/a": ok(body)})
    assert (ran.statuses, ran.reasons) == ([200, 424, 200], [None, "reference-unresolved", None])


async def test_b11_after_reads_what_failed() -> None:
    read = {**use("path", "${result=a:$.v}-${status=a}"), "after": ["a"]}
    ran = await run(envelope(A, read), {"/any/a": ok({"v": 1}, 404)})
    assert [request.target for request in ran.sent] == ["/any/a", "/any/b/1-404"]


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b'{"v":' + b"[" * 500 + b"]" * 500 + b"}", b"[" * 500 + b"]" * 500),
        (b'{"v":1,"v":2}', b"2"),
        (b'{"v":18446744073709551616}', b"18446744073709551616"),
        (b'{"v":0.10000000000000000555e0}', b"0.10000000000000000555e0"),
    ],
    ids=["depth-500", "duplicate-keys", "2^64", "decimals"],
)
async def test_b12_a_value_is_never_rounded(body: bytes, sent: bytes) -> None:
    typed = {"path": "/any/b", "method": "POST", "body": "${result=a:$.v}"}
    ran = await run(envelope({**A, "omit": True}, typed), {"/any/a": ok(body)})
    assert ran.sent[1].body == sent


async def test_b13_each_operation_of_a_diamond_is_sent_once() -> None:
    body = envelope(
        A,
        {"name": "b", "path": "/any/b/${result=a:$.v}"},
        {"name": "c", "path": "/any/c/${result=a:$.v}"},
        {"name": "d", "path": "/any/d/${result=b:$.v}/${result=c:$.v}"},
    )
    answers: dict[str, Outcome] = {"/any/a": ok({"v": 1}), "/any/b/1": ok({"v": 2}), "/any/c/1": ok({"v": 3})}
    ran = await run(body, answers)
    assert [request.target for request in ran.sent] == ["/any/a", "/any/b/1", "/any/c/1", "/any/d/2/3"]


async def test_b13_fifty_may_read_one() -> None:
    fan = [{"path": f"/any/{index}/${{result=a:$.v}}"} for index in range(49)]
    ran = await run(envelope(A, *fan), {"/any/a": ok({"v": 1})})
    assert len(ran.sent) == 50


async def test_b14_only_headers_that_the_answer_shows_can_be_referenced() -> None:
    echo = {"path": "/any/b", "headers": {"x-q": "${header=a:authorization}"}}
    ran = await run(envelope(A, echo), {"/any/a": ok({}, etag="1")})
    assert ran.reasons == [None, "reference-unresolved"]
