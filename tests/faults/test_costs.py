"""What the worst envelopes cost, against an ordinary one of the same size: never a hundred times as much (HAZARDS, A16).

Ratios of processor time within one process, so that a slow machine does not matter.
"""

import json
import time
from collections.abc import Callable

import pytest

from gateway.batch.jsonpath import compile_path
from gateway.errors import Refusal
from tests.support.batches import NATIVE, envelope, ok, plan, run

MIB = 1 << 20
MOST = 100

RECORD = {"id": 12345, "name": "somebody", "tags": ["a", "b"], "at": "2024-01-01T00:00:00Z", "price": 12.5, "none": None}
ORDINARY = envelope({"path": "/any", "method": "POST", "body": [RECORD] * 9000})[:-2] + b"]}"


def posted(body: bytes) -> bytes:
    return b'{"requests":[{"path":"/any","name":"a","method":"POST","body":' + body + b"}]}"


def filled(one: bytes, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening + b",".join([one] * ((MIB - 200) // (len(one) + 1))) + closing


def numbered(template: str, count: int, opening: str = "[", closing: str = "]") -> bytes:
    return (opening + ",".join(template.replace("#", str(index)) for index in range(count)) + closing).encode()


def operations(template: str, count: int) -> bytes:
    return b'{"requests":' + numbered(template, count) + b"}"


def in_one(field: str, value: bytes) -> bytes:
    return b'{"requests":[{"path":"/any","%s":%s}]}' % (field.encode(), value)


WORST: dict[str, Callable[[], bytes]] = {
    "open-brackets": lambda: b"[" * MIB,
    "members": lambda: b"{" + b'"a":1,' * (MIB // 6),
    "unknown-fields": lambda: numbered('"field#":1', 70_000, "{", "}"),
    "unknown-fields-of-one": lambda: b'{"requests":[' + numbered('"field#":1', 70_000, "{", "}") + b"]}",
    "deep-everywhere": lambda: posted(filled(b"[" * 60 + b"]" * 60)),
    "long-numbers": lambda: posted(filled(b"1" * 308)),
    "exponents": lambda: posted(filled(b"1e100")),
    "small-numbers": lambda: posted(filled(b"1")),
    "escapes": lambda: posted(b'"' + b"\\\\" * (MIB // 2 - 200) + b'"'),
    "dollars": lambda: posted(filled(b'"${x}"')),
    "numbers-and-a-reference": lambda: posted(filled(b"1")[:-1] + b',"${item}"]'),
    "objects-and-a-reference": lambda: posted(filled(b'{"a":1}')[:-1] + b',"${item}"]'),
    "a-reference-in-the-deep": lambda: posted(b'{"a":' * 55 + filled(b"1")[:-1] + b',"${index}"]' + b"}" * 55),
    "200-bad-references": lambda: posted(numbered('"${result=a:$.b#[}"', 200)),
    "bad-references": lambda: posted(numbered('"${result=a:$.b#[}"', 40_000)),
    "good-references": lambda: posted(numbered('"${result=a:$.b#}"', 40_000)),
    "good-references-in-one-string": lambda: posted(b'"' + b"${index}" * 130_000 + b'"'),
    "open-references": lambda: posted(b'"' + b"${itemx " * 130_000 + b'"'),
    "good-references-everywhere": lambda: operations(
        '{"path":"/any","method":"POST","body":' + numbered('"${result=x:$.b#[#].c}"', 32).decode().replace("#", "1") + "}", 50
    ),
    "selected-paths": lambda: in_one("select", numbered('"name#":"$.path#"', 45_000, "{", "}")),
    "names-that-are-missing": lambda: in_one("dependsOn", numbered('"name#"', 80_000)),
    "one-name-many-times": lambda: in_one("after", filled(b'"a"')),
    "operations": lambda: operations('{"path":"/any"}', 60_000),
    "nested-operations": lambda: b'{"requests":[' + in_one("requests", numbered('{"path":"/x"}', 50))[13:-2] + b"]}",
    "nested-operations-everywhere": lambda: operations(
        '{"path":"/any","requests":'
        + numbered('{"path":"/any","requests":' + numbered('{"path":"/x"}', 20).decode() + "}", 50).decode()
        + "}",
        50,
    ),
    "headers": lambda: in_one("headers", numbered('"name#":"x"', 60_000, "{", "}")),
    "a-long-path": lambda: in_one("name", b'"' + b"n" * (MIB - 200) + b'"'),
    "percent": lambda: b'{"requests":[{"path":"/any/' + b"%41" * 300_000 + b'"}]}',
    "beyond-ascii": lambda: b'{"requests":[{"path":"/any/' + "é".encode() * 500_000 + b'"}]}',
    "cycles-of-50": lambda: operations(
        '{"name":"n#","path":"/any","after":' + numbered('"n#"', 50).decode().replace("#", "@") + "}", 50
    ),
}


def cost(body: bytes) -> float:
    """Seconds of processor time to decode, plan and, if it comes to that, spell the refusal: the best of three."""
    found = []
    for _ in range(3):
        compile_path.cache_clear()
        before = time.process_time()
        try:
            plan(body)
        except Refusal as refusal:
            NATIVE.refuse(refusal, "r")
        found.append(time.process_time() - before)
    return min(found)


@pytest.fixture(scope="module")
def ordinary() -> float:
    """What an ordinary envelope of 1 MiB costs."""
    assert 0.9 * MIB < len(ORDINARY) < 1.1 * MIB
    return cost(ORDINARY)


@pytest.mark.parametrize("case", WORST)
def test_an_envelope_costs_no_more_than_a_hundred_ordinary_ones(case: str, ordinary: float) -> None:
    body = WORST[case]()
    assert len(body) <= 1.1 * MIB
    assert cost(body) <= MOST * ordinary


def test_fifty_operations_that_all_wait_for_each_other_are_no_dearer(ordinary: float) -> None:
    """All 1225 edges there can be without a cycle; the depth limit then refuses them."""
    body = json.dumps(
        {"requests": [{"name": f"n{i}", "path": "/any", "dependsOn": [f"n{j}" for j in range(i)]} for i in range(50)]}
    ).encode()
    assert cost(body) <= ordinary


def test_cycles_of_fifty_are_no_dearer(ordinary: float) -> None:
    ring = envelope(*[{"name": f"n{i}", "path": "/any", "after": [f"n{(i + 1) % 50}"]} for i in range(50)])
    complete = envelope(*[{"name": f"n{i}", "path": "/any", "dependsOn": [f"n{j}" for j in range(50)]} for i in range(50)])
    assert max(cost(ring), cost(complete)) <= ordinary


async def test_two_hundred_references_to_one_large_answer_read_it_once() -> None:
    large = json.dumps([RECORD] * 20_000).encode()
    users = [{"path": "/any/b?x=" + ",".join(f"${{result=a:$[{i * 20 + j}].id}}" for j in range(20))} for i in range(10)]
    before = time.process_time()
    plain = await run(envelope({"name": "a", "path": "/any/a"}, *["/any/b"] * 10), {"/any/a": ok(large)})
    middle = time.process_time()
    read = await run(envelope({"name": "a", "path": "/any/a"}, *users), {"/any/a": ok(large)})
    assert plain.statuses == read.statuses == [200] * 11
    assert time.process_time() - middle <= 20 * (middle - before)
