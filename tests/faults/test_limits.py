"""Every limit at n - 1, n and n + 1: a limit itself is still allowed."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from gateway.batch.limits import Limits
from gateway.errors import Refusal
from gateway.messages import Outcome
from tests.support.batches import Ran, envelope, ok, refuse, rules, run

ELSEWHERE = {"body": "the server refuses it", "response": "the upstream's answer is cut there"}
"""Limits that are held where bytes come in, and tested there."""

TIMES = {"timeout", "operation_timeout"}
"""Limits that clamp what is asked for."""

A = {"name": "a", "path": "/any/a"}


def posted(body: Any) -> bytes:
    return envelope({"path": "/any", "method": "POST", "body": body})


def nested_lists(depth: int) -> bytes:
    return b'{"requests":[{"path":"/any","method":"POST","body":%s}]}' % (b"[" * (depth - 3) + b"]" * (depth - 3))


def chain(length: int) -> bytes:
    return envelope(
        A, *[{"name": f"n{i}", "path": "/any", "dependsOn": ["a" if i == 1 else f"n{i - 1}"]} for i in range(1, length)]
    )


def spread(references: int) -> bytes:
    """References in as many operations as there are."""
    return envelope(A, *[{"path": "/any?x=${status=a}"} for _ in range(references)])


PLANNED: dict[str, tuple[int, Callable[[int], bytes], int]] = {
    "depth": (9, nested_lists, 400),
    "operations": (3, lambda n: envelope(*["/any"] * n), 422),
    "operations-nested": (3, lambda n: envelope({"path": "/any", "requests": [{"path": "/any"}] * (n - 1)}), 422),
    "dependency_depth": (3, chain, 422),
    "name": (5, lambda n: envelope({"path": "/any", "name": "é" * n}), 422),
    "target": (20, lambda n: envelope("/any/" + "x" * (n - 5)), 422),
    "target-encoded": (23, lambda n: envelope("/any" + "/" + "x" * (n - 17) + "é" * 2), 422),
    "headers": (3, lambda n: envelope({"path": "/any", "headers": {f"x-{i}": "1" for i in range(n)}}), 422),
    "headers-of-the-batch": (3, lambda n: envelope("/any", headers={f"x-{i}": "1" for i in range(n)}), 422),
    "header": (9, lambda n: envelope({"path": "/any", "headers": {"x": "é" * n}}), 422),
    "references": (3, spread, 422),
    "references_per_operation": (3, lambda n: envelope(A, {"path": "/any?x=" + "${status=a}" * n}), 422),
    "references_per_operation-selected": (
        3,
        lambda n: envelope({"path": "/any", "select": {str(i): "$" for i in range(n)}}),
        422,
    ),
    "reference": (9, lambda n: envelope(A, {"path": "/any", "after": ["a"], "select": "$." + "b" * (n - 2)}), 422),
    "reference_segments": (3, lambda n: envelope({"path": "/any", "select": "$" + ".b" * n}), 422),
}
"""Limits that refuse a whole envelope: a small value, an envelope of that size, and the status of one too many."""

LIST = {"name": "list", "path": "/any/list"}
EACH = {"path": "/any/${index}", "forEach": "${result=list:$}"}


def typed(reference: str) -> bytes:
    return envelope(LIST, {"path": "/any", "method": "POST", "body": f"${{result=list:{reference}}}"})


RUNNING: dict[str, tuple[int, bytes, Callable[[int], Outcome], str]] = {
    "items": (3, envelope(LIST, EACH), lambda n: ok([0] * n), "too-many-operations"),
    "expanded_operations": (5, envelope(LIST, EACH), lambda n: ok([0] * (n - 2)), "too-many-operations"),
    "target": (12, envelope(LIST, {"path": "/any/${result=list:$}"}), lambda n: ok("x" * (n - 5)), "path-not-allowed"),
    "header": (
        9,
        envelope(LIST, {"path": "/any", "headers": {"x": "${result=list:$}"}}),
        lambda n: ok("x" * n),
        "invalid-header",
    ),
    "value": (9, typed("$"), lambda n: ok(b'"%s"' % (b"x" * (n - 2))), "reference-too-large"),
    "value-list": (9, typed("$[*]"), lambda n: ok(b"[[],%s]" % (b"1" * (n - 5))), "reference-too-large"),
    "value_matches": (3, typed("$[*]"), lambda n: ok([0] * n), "reference-too-large"),
    "value_visits": (6, typed("$[*][*]"), lambda n: ok([[0] * (n - 1)]), "reference-too-large"),
    "answer": (
        20,
        envelope(LIST, {"path": "/any/b", "after": ["list"]}),
        lambda n: ok(b"%s" % (b"1" * (n - 2))),
        "answer-too-large",
    ),
}
"""Limits that refuse an operation: a small value, a batch, what its list answers, and the reason of one too many."""


def test_every_limit_is_tested_here_or_elsewhere() -> None:
    tested = {case.partition("-")[0] for case in (*PLANNED, *RUNNING)}
    assert tested | set(ELSEWHERE) | TIMES == {field.name for field in fields(Limits)}


@pytest.mark.parametrize("over", [-1, 0, 1], ids=["below", "at", "above"])
@pytest.mark.parametrize("case", PLANNED)
async def test_envelopes(case: str, over: int) -> None:
    limit, make, status = PLANNED[case]
    given = rules(**{case.partition("-")[0]: limit})
    if over <= 0:
        assert set((await run(make(limit + over), given=given)).statuses) == {200}
    else:
        with pytest.raises(Refusal) as caught:
            await run(make(limit + over), given=given)
        assert caught.value.status == status


@pytest.mark.parametrize("over", [-1, 0, 1], ids=["below", "at", "above"])
@pytest.mark.parametrize("case", RUNNING)
async def test_operations(case: str, over: int) -> None:
    limit, body, make, reason = RUNNING[case]
    ran: Ran = await run(body, {"/any/list": make(limit + over)}, rules(**{case.partition("-")[0]: limit}))
    assert ran.reasons == [None, None if over <= 0 else reason]
    if over > 0 and case != "answer":
        assert len(ran.sent) == 1


@pytest.mark.parametrize(("asked", "seconds"), [(1999, 1.999), (2000, 2.0), (2001, 2.0)])
async def test_an_operations_timeout_is_clamped(asked: int, seconds: float) -> None:
    ran = await run(envelope({"path": "/any", "timeout": asked}), given=rules(operation_timeout=2.0))
    assert ran.sent[0].deadline == 1000.0 + seconds


@pytest.mark.parametrize(("asked", "seconds"), [(1999, 1.999), (2000, 2.0), (2001, 2.0)])
async def test_a_batchs_timeout_is_clamped(asked: int, seconds: float) -> None:
    """An operation that may take longer than the batch gets its deadline a second past the batch's."""
    ran = await run(envelope({"path": "/any", "timeout": 9000}, timeout=asked), given=rules(timeout=2.0))
    assert ran.sent[0].deadline == 1000.0 + seconds + 1.0


def test_the_sum_of_what_is_wrong_is_told() -> None:
    body = envelope({"path": "/any", "name": "abcdef"}, {"path": "/any/" + "x" * 20}, "/any")
    refusal = refuse(body, rules(operations=2, name=5, target=20))
    assert [problem.pointer for problem in refusal.problems] == ["/requests"]
