"""HAZARDS, table A: envelopes and JSON. Whatever is refused is refused before anything is sent.

The rows about HTTP itself (A13 to A15, A17) are tested at the server.
"""

import json
from typing import Any

import pytest

from gateway.messages import Reason
from tests.support.batches import envelope, problems, refuse, run

LIST = b'{"requests":[{"path":"/any","method":"POST","body":%s}]}'


def refused(body: bytes) -> tuple[int, Reason]:
    refusal = refuse(body)
    return refusal.status, refusal.reason


MALFORMED = {
    "A1-empty": b"",
    "A1-blank": b" \r\n\t ",
    "A2-truncated": b'{"requests":[{"path":"/an',
    "A2-trailing": b'{"requests":[{"path":"/any"}]} x',
    "A2-comment": b'{"requests":[{"path":"/any"}] /* why */}',
    "A2-single-quotes": b"{'requests':[{'path':'/any'}]}",
    "A2-comma": b'{"requests":[{"path":"/any"},]}',
    "A3-bom": b"\xef\xbb\xbf" + envelope("/any"),
    "A3-utf16": envelope("/any").decode().encode("utf-16"),
    "A3-utf16-without-bom": envelope("/any").decode().encode("utf-16-le"),
    "A4-in-a-name": b'{"requests":[{"path":"/any","name":"\xff"}]}',
    "A4-in-a-body": LIST % b'{"a":"\xc3\x28"}',
    "A4-overlong": LIST % b'"\xc0\xaf"',
    "A4-encoded-surrogate": LIST % b'"\xed\xa0\x80"',
    "A5-name": b'{"requests":[{"path":"/any","name":"\\ud800"}]}',
    "A5-path": b'{"requests":[{"path":"/any/\\udfff"}]}',
    "A5-header": b'{"requests":[{"path":"/any","headers":{"x":"\\ud800x"}}]}',
    "A5-body": LIST % b'{"deep":["\\ud83d\\u0041"]}',
    "A5-key": LIST % b'{"\\ude00":1}',
    "A6-nan": LIST % b"NaN",
    "A6-infinity": LIST % b"[-Infinity]",
    "A6-1e400": LIST % b"1e400",
    "A6-1e400-in-timeout": b'{"requests":[{"path":"/any"}],"timeout":1e400}',
    "A6-300-digits-e99": LIST % (b"1" * 300 + b"e99"),
    "A6-5000-digits": LIST % (b"1" * 5000),
    "A8-65": LIST % (b"[" * 62 + b"]" * 62),
    "A8-65-mixed": LIST % (b'[{"a":' * 31 + b"1" + b"}]" * 31),
    "A8-255": LIST % (b"[" * 252 + b"]" * 252),
    "A8-1025": LIST % (b"[" * 1022 + b"]" * 1022),
    "A8-100000": b"[" * 100_000 + b"]" * 100_000,
    "A16-brackets": b"[" * (1 << 20),
    "A16-members": (b'"a":1,' * 174_763)[: 1 << 20],
    "A16-open-members": b'{"a":' * 209_715,
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_malformed_json_is_400(body: bytes) -> None:
    refusal = refuse(body)
    assert (refusal.status, refusal.reason) == (400, Reason.MALFORMED_JSON)
    assert len(refusal.detail) < 150


def test_a2_says_where() -> None:
    assert "byte 12" in refuse(b'{"requests":\x01[]}').detail


@pytest.mark.parametrize(
    "value",
    ["9007199254740993", "18446744073709551616", "0.1000000000000000055", "-0", "1.0", "1e2", '"\\u00e9\\/"', "[ 1 ,\n2 ]"],
)
async def test_a7_what_no_reference_reads_arrives_as_the_same_bytes(value: str) -> None:
    body = f'{{ "v" : {value} }}'.encode()
    ran = await run(LIST % body)
    assert [request.body for request in ran.sent] == [body]


@pytest.mark.parametrize("depth", [63, 64])
async def test_a8_nesting_up_to_the_limit_is_accepted(depth: int) -> None:
    nested = b"[" * (depth - 3) + b"]" * (depth - 3)
    ran = await run(LIST % nested)
    assert [request.body for request in ran.sent] == [nested]


def named(*names: Any) -> bytes:
    return envelope(*[{"path": "/any", "name": name} for name in names])


def test_a9_a_name_used_twice_is_told_at_the_second() -> None:
    (problem,) = problems(named("a", "b", "a"))
    assert (problem.pointer, problem.reason) == ("/requests/2/name", Reason.DUPLICATE_NAME)


def test_a9_also_across_nesting() -> None:
    body = envelope({"path": "/any", "name": "a", "requests": [{"path": "/any", "name": "a"}]})
    assert problems(body)[0].pointer == "/requests/0/requests/0/name"


async def test_a9_names_are_compared_as_they_are() -> None:
    ran = await run(named("a", "A", "\u00e9", "e\u0301"))
    assert ran.statuses == [200] * 4


@pytest.mark.parametrize(
    "name",
    ["", "n" * 129, "__proto__", "constructor", "prototype", "a\tb", "a\x00", "a\x7f", "a\x85", "a:b", "{a", "a}"],
    ids=["empty", "129", "proto", "constructor", "prototype", "tab", "nul", "del", "nel", "colon", "open", "close"],
)
def test_a10_names_that_are_refused(name: str) -> None:
    (problem,) = problems(named(name))
    assert (problem.pointer, problem.reason) == ("/requests/0/name", Reason.INVALID_ENVELOPE)


async def test_a10_names_that_are_not() -> None:
    names = ["n" * 128, "😀", "$", ".", "a b", "it's", "0"]
    ran = await run(named(*names))
    assert [entry["name"] for entry in ran.responses] == names


A11 = {
    "unknown": ({"path": "/any", "methd": "GET"}, "/requests/0/methd"),
    "path-type": ({"path": 1}, "/requests/0/path"),
    "path-null": ({"path": None}, "/requests/0/path"),
    "path-missing": ({}, "/requests/0/path"),
    "name-type": ({"path": "/any", "name": 1}, "/requests/0/name"),
    "headers-type": ({"path": "/any", "headers": []}, "/requests/0/headers"),
    "header-type": ({"path": "/any", "headers": {"a/b~": 1}}, "/requests/0/headers/a~1b~0"),
    "after-type": ({"path": "/any", "after": "a"}, "/requests/0/after"),
    "depends-type": ({"path": "/any", "dependsOn": [1]}, "/requests/0/dependsOn/0"),
    "forEach-type": ({"path": "/any", "forEach": []}, "/requests/0/forEach"),
    "nested-type": ({"path": "/any", "requests": {}}, "/requests/0/requests"),
    "select-type": ({"path": "/any", "select": 1}, "/requests/0/select"),
    "omit-value": ({"path": "/any", "omit": "always"}, "/requests/0/omit"),
    "upstream-type": ({"path": "/any", "upstream": 1}, "/requests/0/upstream"),
    "operation-type": ("not an object", "/requests/0"),
    "both": ({"path": "/any", "forEach": "${result=a:$}", "requests": [{"path": "/any"}]}, "/requests/0/requests"),
}


@pytest.mark.parametrize(("operation", "pointer"), A11.values(), ids=A11)
def test_a11_each_mistake_has_its_pointer(operation: Any, pointer: str) -> None:
    body = json.dumps({"requests": [operation, {"path": "/any", "name": "a"}]}).encode()
    assert pointer in [problem.pointer for problem in problems(body)]


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null"])
def test_a11_an_envelope_is_an_object(body: bytes) -> None:
    assert refused(body) == (422, Reason.INVALID_ENVELOPE)


@pytest.mark.parametrize("field", ["requests", "headers", "timeout", "onError", "responseHeaders", "coalesce"])
def test_a11_its_fields_have_types_too(field: str) -> None:
    body = json.dumps({"requests": [{"path": "/any"}], field: {"a": 1} if field != "headers" else 7}).encode()
    assert [problem.pointer for problem in problems(body)] == ["/headers" if field == "headers" else f"/{field}"]


def test_a11_all_at_once_and_what_was_meant() -> None:
    body = envelope({"path": "/any", "methd": "GET"}, {"path": "any", "Body": 1}, on_error="stop")
    found = {problem.pointer: problem.detail for problem in problems(body)}
    assert set(found) == {"/requests/0/methd", "/requests/1/path", "/requests/1/Body", "/on_error"}
    assert "method" in found["/requests/0/methd"]
    assert "onError" in found["/on_error"]


@pytest.mark.parametrize("count", [0, 51])
def test_a12_too_few_or_too_many(count: int) -> None:
    (problem,) = problems(envelope(*["/any"] * count))
    reason = Reason.TOO_MANY_OPERATIONS if count else Reason.INVALID_ENVELOPE
    assert (problem.pointer, problem.reason) == ("/requests", reason)


@pytest.mark.parametrize("count", [1, 49, 50])
async def test_a12_up_to_the_limit(count: int) -> None:
    assert len((await run(envelope(*["/any"] * count, coalesce=False))).sent) == count


@pytest.mark.parametrize("path", ["/batch", "/api/2.3/batch", "/livez", "/"])
def test_a18_the_gateway_itself_is_no_upstream(path: str) -> None:
    (problem,) = problems(envelope(path))
    assert problem.reason is Reason.UNKNOWN_UPSTREAM


@pytest.mark.parametrize("timeout", [0, -1, "5", True, None, [], -1e308])
@pytest.mark.parametrize("place", ["envelope", "operation"])
def test_a19_timeouts_that_are_refused(timeout: Any, place: str) -> None:
    if place == "envelope":
        assert problems(envelope("/any", timeout=timeout))[0].pointer == "/timeout"
    else:
        assert problems(envelope({"path": "/any", "timeout": timeout}))[0].pointer == "/requests/0/timeout"


@pytest.mark.parametrize("timeout", [1, 0.5, 30_001, 1e308, 10**300])
async def test_a19_timeouts_beyond_the_maximum_are_clamped(timeout: float) -> None:
    ran = await run(envelope({"path": "/any", "timeout": timeout}, timeout=timeout))
    assert ran.statuses == [200] or (timeout <= 1 and ran.statuses == [504])  # a busy machine may need longer than that
