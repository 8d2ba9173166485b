"""What references put into request bodies is bounded for the whole batch, not only value by value."""

from typing import Any

from tests.support.batches import envelope, ok, rules, run


async def test_bodies_that_grow_when_filled_in_count_against_the_batch() -> None:
    operations: list[dict[str, Any]] = [
        {"name": "source", "path": "/any/1"},
        *({"method": "POST", "path": "/any/2", "body": ["${result=source:$.text}"] * 2} for _ in range(3)),
    ]
    ran = await run(envelope(*operations), {"/any/1": ok({"text": "x" * 600})}, rules(answer=4000))
    assert ran.statuses == [200, 200, 200, 422]
    assert ran.reasons[3] == "reference-too-large"
