"""The collector dialect: each line of what its contract asks for has a test of that number, and more in the corpus."""

import asyncio
import json
from typing import Any

import pytest

from gateway.batch.compile import Rules
from gateway.batch.limits import Limits
from gateway.batch.routes import Route, RouteTable
from gateway.dialects.dialect import Asked
from gateway.errors import Refusal
from gateway.messages import Failure, Outcome, Reason, Request
from gateway.pipeline import Answer, answer
from tests.support.batches import CONTEXT, HeldSend, Script, engine, ok, send_nothing, turn
from tests.support.collector import make_collector

ROUTES = RouteTable((Route("collector", "/v2"),))
TIMES = {"event_timestamp": 1_700_000_000_000, "send_timestamp": 1_700_000_000_001}

MORE: dict[str, dict[str, Any]] = {
    "newUser": {},
    "newDevice": {},
    "updateUserState": {},
    "updateDeviceState": {},
    "newEvent": {"category": "c", "result": "r"},
    "beginTransaction": {"category": "c"},
    "updateTransaction": {"category": "c", "progress": 50},
    "endTransaction": {"category": "c", "result": "r"},
    "updateCollection": {"name": "gold", "balance": 1, "balance_modification": -0.5, "currency": True},
    "tune": {"campaign_name": "spring"},
}
"""The fields that each type needs beside those of every element."""

ENDPOINTS = {
    "newUser": "POST /v2/users",
    "newDevice": "POST /v2/devices",
    "updateUserState": "PUT /v2/users/u",
    "updateDeviceState": "PUT /v2/devices",
    "newEvent": "POST /v2/events",
    "beginTransaction": "POST /v2/transactions",
    "updateTransaction": "PUT /v2/transactions",
    "endTransaction": "PUT /v2/transactions/end",
    "updateCollection": "POST /v2/collections",
    "tune": "POST /v2/tune",
}


def element(kind: str = "newUser", **fields: Any) -> dict[str, Any]:
    """A valid element, with `fields` changed; None leaves one out."""
    whole = {"request_type": kind, **TIMES, "user_id": "u", **MORE.get(kind, {}), **fields}
    return {name: value for name, value in whole.items() if value is not None}


def asked(*elements: Any, query: str = "customerId=acme") -> Asked:
    texts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in elements]
    return Asked(b'{"batch": [' + b", ".join(texts) + b"]}", query)


async def run(
    *elements: Any, query: str = "customerId=acme", answers: dict[str, Outcome] | None = None
) -> tuple[Answer, list[Request]]:
    script = Script()
    script.answers = answers or {}
    return await answer(
        asked(*elements, query=query), make_collector(), CONTEXT, engine(script, routes=ROUTES)
    ), script.requests


async def entries(*elements: Any, **options: Any) -> list[dict[str, Any]]:
    """The entries of a batch in which not everything was accepted."""
    answered, _ = await run(*elements, **options)
    assert answered.status == 207
    found: list[dict[str, Any]] = json.loads(answered.body)
    assert len(found) == len(elements)
    return found


async def refuse(asked: Asked, limits: Limits | None = None) -> tuple[int, dict[str, Any]]:
    """Status and body of a refusal; nothing may be sent."""
    with pytest.raises(Refusal) as caught:
        await answer(asked, make_collector(), CONTEXT, engine(send_nothing, Rules(limits or Limits()), ROUTES))
    status, headers, body = make_collector().refuse(caught.value, "request-1")
    assert dict(headers)["content-type"] == "application/json"
    return status, json.loads(body)


@pytest.mark.parametrize("query", ["customerId=X", "customer_id=X", "a=b&customerId=X", "customerId=X&customer_id=X"])
async def test_must_pass_1_either_spelling_of_the_customer_id_works(query: str) -> None:
    answered, sent = await run(element(), query=query)
    assert (answered.status, [request.target for request in sent]) == (202, ["/v2/users?customerId=X"])


@pytest.mark.parametrize("query", ["", "customerId=", "customer=X", "customerid=X"])
async def test_must_pass_1_without_one_it_is_400_and_nothing_is_sent(query: str) -> None:
    status, body = await refuse(asked(element(), query=query))
    assert (status, body["code"], body["errors"]) == (400, 400, ["the query has no customerId"])


@pytest.mark.parametrize("query", ["customerId=%FF", "customer_id=a%C3", "customerId=%ED%A0%80", "customerId=X&a=%FF"])
async def test_an_id_that_is_not_utf8_is_refused_and_not_another_id(query: str) -> None:
    status, body = await refuse(asked(element(), query=query))
    assert (status, body["errors"]) == (400, ["the query is not UTF-8, percent-encoded"])


async def test_must_pass_2_all_valid_is_202_and_an_array() -> None:
    answered, _ = await run(element(), element("tune"))
    assert (answered.status, answered.headers) == (202, (("content-type", "application/json"),))
    assert json.loads(answered.body) == [{"code": 202, "errors": [], "request": None}] * 2


@pytest.mark.parametrize("place", range(5))
async def test_must_pass_3_one_invalid_among_many_is_207_with_an_entry_each_in_order(place: int) -> None:
    batch = [element(user_id=f"u{number}") for number in range(5)]
    batch[place] = element("tune", campaign_name=None)
    codes = [entry["code"] for entry in await entries(*batch)]
    assert codes == [400 if number == place else 202 for number in range(5)]


ODD = (
    b'{"request_type" :  "newEvent","event_timestamp":9223372036854775807,"send_timestamp":1.0, "x":1.10, "user_id":"u",'
    b'"category":7,"caf\\u00e9":"\xc3\xa9","big":123456789012345678901234567890, "e": 1E2,"null":null }'
)


async def test_must_pass_4_what_is_invalid_comes_back_byte_for_byte_with_errors_that_name_the_field() -> None:
    answered, _ = await run(ODD)
    errors = b'["result is required","category must be a string, got 7"]'
    assert answered.body in (
        b'[{"code":400,"errors":%b,"request":%b}]' % (told, ODD)
        for told in (errors, b'["category must be a string, got 7","result is required"]')
    )


async def test_must_pass_5_a_valid_entry_of_a_207_has_no_request_and_no_errors() -> None:
    assert (await entries(element(), element("x")))[0] == {"code": 202, "errors": [], "request": None}


async def test_must_pass_6_valid_elements_are_sent_exactly_once_and_invalid_ones_never() -> None:
    batch = [element(user_id=f"u{number}") if number % 2 else element(user_id=number) for number in range(50)]
    _, sent = await run(*batch)
    assert sorted(request.body or b"" for request in sent) == sorted(json.dumps(one).encode() for one in batch[1::2])


@pytest.mark.parametrize("kind", MORE)
async def test_must_pass_7_all_ten_types_go_to_their_endpoints(kind: str) -> None:
    answered, (request,) = await run(element(kind))
    assert answered.status == 202
    assert f"{request.method} {request.target}" == f"{ENDPOINTS[kind]}?customerId=acme"


@pytest.mark.parametrize("kind", [None, "", "newuser", "NEWUSER", "DataCollectorNewUserRequest", 5, [], "x" * 1000])
async def test_must_pass_7_an_unknown_or_missing_type_is_that_elements_error(kind: Any) -> None:
    first, second = await entries(element(request_type=kind), element())
    assert (first["code"], second["code"]) == (400, 202)
    assert "request_type" in first["errors"][0]
    assert len(first["errors"][0]) < 300


REQUIRED = [(kind, field) for kind in MORE for field in (*TIMES, *MORE[kind])]


@pytest.mark.parametrize(("kind", "field"), REQUIRED, ids=str)
async def test_must_pass_8_every_required_field_is_required(kind: str, field: str) -> None:
    (entry,) = await entries(element(kind, **{field: None}))
    assert (entry["code"], entry["errors"]) == (400, [f"{field} is required"])


BAD_PROPERTIES: list[Any] = [5, [], {"a": None}, {"a": [1]}, {"a": {}}]
WRONG: list[tuple[str, str, Any]] = [
    *[(kind, field, value) for kind in MORE for field in TIMES for value in ("1", 1.5, True, 2**63)],
    *[(kind, field, 5) for kind in MORE for field in ("user_id", "device_id")],
    *[(kind, "event_properties", value) for kind in MORE for value in BAD_PROPERTIES],
    *[(kind, "category", 5) for kind in MORE if "category" in MORE[kind]],
    *[(kind, "result", 5) for kind in MORE if "result" in MORE[kind]],
    *[("updateTransaction", "progress", value) for value in (0, 100, -1, 1.5, "5", True)],
    *[("beginTransaction", "timeout", value) for value in ("5", 1.5)],
    *[("beginTransaction", "timeout_mode", value) for value in ("txn", "", 1)],
    *[(kind, "transaction_id", 5) for kind in MORE if "ransaction" in kind or kind == "newEvent"],
    ("updateCollection", "name", 5),
    ("updateCollection", "balance", "5"),
    ("updateCollection", "balance_modification", "5"),
    ("updateCollection", "currency", "true"),
    ("updateCollection", "currency", 1),
    ("tune", "campaign_name", 5),
]


@pytest.mark.parametrize(("kind", "field", "value"), WRONG, ids=json.dumps)
async def test_must_pass_8_every_type_range_and_enum_is_checked(kind: str, field: str, value: Any) -> None:
    (entry,) = await entries(element(kind, **{field: value}))
    assert entry["code"] == 400
    assert entry["errors"][0].startswith(field)


RIGHT: list[tuple[str, str, Any]] = [
    ("newUser", "event_properties", {"a": 1, "b": 1.5, "c": "x", "d": False}),
    ("newUser", "event_timestamp", 2**63 - 1),
    ("updateTransaction", "progress", 1),
    ("updateTransaction", "progress", 99),
    ("beginTransaction", "timeout_mode", "TXN"),
    ("beginTransaction", "timeout_mode", "ANY"),
    ("newEvent", "transaction_id", "t"),
    ("tune", "whatever", [None]),
]


@pytest.mark.parametrize(("kind", "field", "value"), RIGHT, ids=json.dumps)
async def test_must_pass_8_and_what_is_allowed_is_accepted(kind: str, field: str, value: Any) -> None:
    answered, _ = await run(element(kind, **{field: value}))
    assert answered.status == 202


@pytest.mark.parametrize("kind", MORE)
async def test_must_pass_8_one_of_user_and_device_is_needed(kind: str) -> None:
    (entry,) = await entries(element(kind, user_id=None))
    assert (entry["code"], entry["errors"]) == (400, ["user_id or device_id is required"])
    answered, _ = await run(element(kind, user_id=None, device_id="d"))
    assert answered.status == 202


@pytest.mark.parametrize("odd", [b"null", b"5", b"-1.50", b'"newUser"', b"[]", b"true"])
async def test_must_pass_9_what_is_no_object_is_that_elements_error_and_keeps_its_place(odd: bytes) -> None:
    answered, sent = await run(element(), odd, element("tune"))
    first, second, third = json.loads(answered.body)
    assert (first["code"], second["code"], third["code"], len(sent)) == (202, 400, 202, 2)
    assert b'"request":' + odd + b"}" in answered.body


async def test_must_pass_10_elements_are_sent_concurrently_and_a_failure_leaves_the_others_alone() -> None:
    held = HeldSend()
    batch = asked(element(), element("newDevice"), element("tune"))
    task = asyncio.create_task(answer(batch, make_collector(), CONTEXT, engine(held, routes=ROUTES)))
    await turn()
    assert len(held.held) == 3
    await held.end("/v2/tune?customerId=acme")
    await held.end("/v2/devices?customerId=acme", Failure(Reason.UPSTREAM_TIMEOUT, "no answer"))
    await held.end("/v2/users?customerId=acme", ok(b"taken", 409))
    answered = await task
    assert answered.status == 207
    assert json.loads(answered.body) == [
        {"code": 409, "errors": ["the service answered 409: taken"], "request": element()},
        {"code": 504, "errors": ["The upstream did not answer in time: no answer"], "request": element("newDevice")},
        {"code": 202, "errors": [], "request": None},
    ]


async def test_a_batch_without_one_valid_element_is_answered_all_the_same() -> None:
    answered, sent = await run(b"null", element("x"))
    assert (answered.status, len(json.loads(answered.body)), sent) == (207, 2, [])
    assert answered.finished is not None
    assert answered.finished.operations == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"{}",
        b'{"batch": null}',
        b'{"batch": {}}',
        b'"x"',
        b'{"batch": [NaN]}',
        b'{"batch": [1e999]}',
    ],
)
async def test_a_malformed_envelope_is_400_and_nothing_is_sent(body: bytes) -> None:
    status, told = await refuse(Asked(body, "customerId=X"))
    assert (status, told["code"]) == (400, 400)
    assert told["errors"]


def test_elements_that_are_alike_are_each_sent() -> None:
    assert make_collector().decode(asked(element(), element()), Rules()).coalesce is False


async def test_a_batch_has_as_many_elements_as_operations_are_allowed() -> None:
    most = Limits(operations=2)
    status, told = await refuse(asked(b"1", b"2", b"3"), most)
    assert (status, told["errors"]) == (413, ["3 elements, 2 are allowed in one batch"])
    script = Script()
    answered = await answer(asked(b"1", b"2"), make_collector(), CONTEXT, engine(script, Rules(most), ROUTES))
    assert answered.status == 207


async def test_what_a_service_says_is_told_cut_short() -> None:
    (entry,) = await entries(element(), answers={"/v2/users?customerId=acme": ok("x" * 1000, 400)})
    assert entry["errors"] == ["the service answered 400: " + '"' + "x" * 499 + "…"]
