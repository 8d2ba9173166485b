"""Answers of upstreams that are nested as deeply as JSON can be, or hold what no double can."""

from typing import Any

import pytest

from gateway.batch.compile import Rules
from tests.support.batches import envelope, ok, run

OPERATIONS: dict[str, dict[str, Any]] = {
    "path": {"path": "/any/${result=deep:$[0]}"},
    "element": {"path": "/any/${result=deep:$[0][0][0]}"},
    "wildcard": {"path": "/any/${result=deep:$[*][*]}"},
    "body": {"path": "/any/x", "method": "POST", "body": {"x": "${result=deep:$[0]}"}},
    "forEach": {"path": "/any/${item:$[0][0]}", "forEach": "${result=deep:$[0][0]}"},
    "descendants": {"path": "/any/${result=deep:$..a}"},
    "filter": {"path": "/any/x", "method": "POST", "body": "${result=deep:$[?(@.a > 1)]}"},
}


@pytest.mark.parametrize("kind", OPERATIONS)
async def test_no_depth_makes_a_mistake_of_ours(kind: str) -> None:
    rules = Rules(descendants=True, filters=True)
    for depth in range(880, 1020, 2):
        body = envelope({"name": "deep", "path": "/any/deep", "omit": True}, OPERATIONS[kind])
        ran = await run(body, {"/any/deep": ok(b"[" * depth + b"]" * depth)}, rules)
        assert ran.statuses[0] == 200
        assert "internal" not in ran.reasons


async def test_a_number_beyond_a_double_passes_and_is_not_compared() -> None:
    body = envelope(
        {"name": "a", "path": "/any/a"},
        {"path": "/any/b", "method": "POST", "body": ["${result=a:$[0].n}"]},
        {"path": "/any/c", "method": "POST", "body": "${result=a:$[?(@.n > 1)]}"},
    )
    ran = await run(body, {"/any/a": ok(b'[{"n":1e999},{"n":2.0}]')}, Rules(filters=True))
    assert [request.body for request in ran.sent[1:]] == [b"[1e999]", b'[{"n":2.0}]']
    assert b'[{"n":1e999},{"n":2.0}]' in ran.raw
