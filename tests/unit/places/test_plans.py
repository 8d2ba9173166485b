import json
from typing import Any

import pytest

from gateway.dialects.dialect import Asked
from gateway.errors import Refusal
from gateway.pipeline import answer as run
from gateway.places.plans import Plans
from tests.support.batches import CONTEXT, NATIVE, engine, envelope, send_nothing

PLACE = Plans(NATIVE, engine(send_nothing))

REFUSED = {
    "malformed": b'{"requests": [',
    "no-object": b"[]",
    "empty": envelope(),
    "several": envelope(
        {"path": "/nowhere"}, {"path": "/any", "name": "a", "dependsOn": ["b"]}, {"path": "/any", "method": "X"}
    ),
    "cycle": envelope({"path": "/any", "name": "a", "after": ["b"]}, {"path": "/any", "name": "b", "after": ["a"]}),
}


async def test_a_plan_is_answered_and_nothing_is_sent() -> None:
    answer = await PLACE.serve(Asked(envelope("/users/1", {"path": "/orders", "method": "DELETE"})), CONTEXT)
    assert (answer.status, answer.finished) == (200, None)
    found: dict[str, Any] = json.loads(answer.body)
    assert [(operation["method"], operation["path"]) for operation in found["operations"]] == [
        ("GET", "/users/1"),
        ("DELETE", "/orders"),
    ]


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
async def test_a_plan_is_refused_exactly_as_the_batch_is(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        await PLACE.serve(Asked(body), CONTEXT)
    assert PLACE.refuse(caught.value, "request-1") == NATIVE.refuse(await _refusal(body), "request-1")


async def _refusal(body: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await run(Asked(body), NATIVE, CONTEXT, engine(send_nothing))
    return caught.value
