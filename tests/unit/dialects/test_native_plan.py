import json
from typing import Any

import pytest

from gateway.batch.compile import Rules
from gateway.dialects.native_plan import encode_plan, spell_plan
from tests.support.batches import envelope, plan, rules


def spelled(body: bytes, given: Rules | None = None) -> dict[str, Any]:
    given = given or Rules()
    return spell_plan(plan(body, given), given.limits, len(body))


def test_a_plan_has_every_operation_in_the_order_asked() -> None:
    body = envelope(
        {"name": "lines", "path": "/orders/${item:$.id}/lines", "forEach": "${result=orders:$.items[*]}"},
        {"name": "user", "path": "/users/42", "requests": [{"path": "/orders/latest?user=${result=user:$.id}"}]},
        {"name": "orders", "path": "/orders?user=${result=user:$.id}"},
        {"method": "POST", "path": "/any", "after": ["lines"], "dependsOn": ["user"]},
    )
    assert spelled(body)["operations"] == [
        {
            "name": "lines",
            "pointer": "/requests/0",
            "method": "GET",
            "path": "/orders/${item:$.id}/lines",
            "upstream": "orders",
            "dependsOn": ["orders"],
            "after": [],
            "stage": 3,
            "forEach": "${result=orders:$.items[*]}",
        },
        {
            "name": "user",
            "pointer": "/requests/1",
            "method": "GET",
            "path": "/users/42",
            "upstream": "users",
            "dependsOn": [],
            "after": [],
            "stage": 1,
            "requests": [
                {
                    "pointer": "/requests/1/requests/0",
                    "method": "GET",
                    "path": "/orders/latest?user=${result=user:$.id}",
                    "upstream": "orders",
                    "dependsOn": ["user"],
                    "after": [],
                    "stage": 2,
                }
            ],
        },
        {
            "name": "orders",
            "pointer": "/requests/2",
            "method": "GET",
            "path": "/orders?user=${result=user:$.id}",
            "upstream": "orders",
            "dependsOn": ["user"],
            "after": [],
            "stage": 2,
        },
        {
            "pointer": "/requests/3",
            "method": "POST",
            "path": "/any",
            "upstream": "any",
            "dependsOn": ["user"],
            "after": ["lines"],
            "stage": 4,
        },
    ]


def test_what_waits_for_something_without_a_name_says_its_pointer() -> None:
    (parent,) = spelled(envelope({"path": "/users", "requests": [{"path": "/orders"}]}))["operations"]
    assert parent["requests"][0]["dependsOn"] == ["/requests/0"]


def test_a_plan_says_what_is_used_of_the_limits() -> None:
    body = envelope(
        {"name": "user", "path": "/users/ü", "headers": {"a": "1", "b": "2"}},
        {"path": "/orders/${result=user:$.id}?a=${result=user:$.a}"},
        {"path": "/any/${result=user:$.id}"},
        timeout=1500,
    )
    given = rules(operations=9, references=8, timeout=20.0)
    assert spelled(body, given)["limits"] == {
        "body": {"used": len(body), "max": 1 << 20},
        "operations": {"used": 3, "max": 9},
        "dependencyDepth": {"used": 2, "max": 10},
        "name": {"used": 4, "max": 128},
        "target": {"used": 13, "max": 8192},
        "headers": {"used": 2, "max": 64},
        "references": {"used": 3, "max": 8},
        "referencesPerOperation": {"used": 2, "max": 32},
        "timeout": {"used": 1500, "max": 20000},
    }


@pytest.mark.parametrize("asked", [{}, {"timeout": 60_000}])
def test_a_batch_has_no_more_time_than_is_allowed(asked: dict[str, int]) -> None:
    assert spelled(envelope("/any", **asked), rules(timeout=2.5))["limits"]["timeout"] == {"used": 2500, "max": 2500}


def test_the_plan_is_json() -> None:
    body, given = envelope("/any"), Rules()
    encoded = encode_plan(plan(body, given), given.limits, len(body))
    assert (encoded.status, encoded.headers) == (200, (("content-type", "application/json"),))
    assert json.loads(encoded.body) == spelled(body, given)
