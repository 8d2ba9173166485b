"""The quick way gives what the long way gives, or gives up."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.batch.compile import Rules
from gateway.batch.limits import Limits
from gateway.dialects.native_decode import decode
from gateway.dialects.native_plain import decode_plain

RULES = Rules()

NAMES = ["accept", "X-A", "x-a", "host", "content-type", "cookie", "a b", "x~/y"]
PLAIN_PATHS = [
    "/users/1",
    "/users/",
    "/",
    "/a/../b",
    "//e",
    "/a%2fb",
    "/a;b",
    "/ä",
    "/a?b=c&d[]=e",
    "/a b",
    "",
    "/a/.b",
    "/a%41",
    "/a\n/b",
    "/a\n",
]
FILLED_PATHS = [
    "/users/${result=a:$.id}",
    "/users/${item:$.id}/x?y=${index}",
    "/${result=a:$..x}",
    "/a$${x}",
    "/x?q=${status=b}",
]
NOT_JSON = [b'"\xff"', b"1e999", b"[" * 64 + b"]" * 64]
names = st.sampled_from(["a", "b", "c", "", "x:y", "a\n", "__proto__", "n" * 129, "ä", "\x7f", "it's"])
paths = st.sampled_from([*PLAIN_PATHS, *FILLED_PATHS, "/" + "p" * 8200])
values = st.sampled_from(["x", "", " x", "${result=a:$.id}", "Bearer ${status=b}", "a\nb", None, "é", "${result=a:", 1])
headers = st.dictionaries(st.sampled_from(NAMES), values, max_size=3)
bodies = st.sampled_from(
    [
        None,
        {},
        {"a": "${result=a:$.id}"},
        [1, 1.10],
        "text",
        '{"a": 1}',
        {"deep": [[["${index}"]]]},
        True,
        {"a": "$${b}"},
        {"id": "3fe4000"},
        "[" * 70,
    ]
)
lists = st.lists(names, max_size=2)
operations = st.fixed_dictionaries(
    {},
    optional={
        "path": paths,
        "name": names,
        "method": st.sampled_from(["GET", "POST", "get", "", 1]),
        "headers": headers,
        "body": bodies,
        "dependsOn": lists,
        "after": lists,
        "forEach": st.sampled_from(["${result=a:$.items[*]}", "${status=a}", "", "x", "${item}", None]),
        "timeout": st.sampled_from([1, 2.5, 0, -1, "5", True, None]),
        "select": st.just("$.a"),
        "requests": st.just([]),
        "omit": st.just(True),
        "typo": st.just(1),
    },
)
envelopes = st.fixed_dictionaries(
    {"requests": st.lists(operations, max_size=3)},
    optional={
        "headers": headers,
        "timeout": st.sampled_from([1, 0, None]),
        "onError": st.sampled_from(["stop", "continue", "x"]),
        "responseHeaders": st.booleans(),
        "coalesce": st.sampled_from([True, False, 1]),
    },
)


@given(envelopes, st.booleans())
def test_what_is_plain_is_decoded_alike_by_the_long_way(envelope: dict[str, Any], json_in_strings: bool) -> None:
    text = json.dumps(envelope).encode()
    quick = decode_plain(text, RULES)
    if quick is not None:
        assert quick == decode(text, RULES, json_in_strings)


PLAIN: list[dict[str, Any]] = [
    {"path": "/users/1"},
    {"name": "a", "method": "DELETE", "path": "/users/1?x=y", "headers": {"Accept": "text/plain", "x-gone": None}},
    {"path": "/users/${item:$.id}", "forEach": "${result=a:$.items[*]}", "timeout": 5},
    {"method": "POST", "path": "/users", "body": {"n": [1.10, "${result=a:$.id}"]}, "after": ["a"], "dependsOn": ["b"]},
]


@pytest.mark.parametrize("operation", PLAIN)
def test_what_most_batches_use_is_plain(operation: dict[str, Any]) -> None:
    text = json.dumps({"requests": [operation], "headers": {"x-a": "b"}, "timeout": 100, "onError": "stop"}).encode()
    quick = decode_plain(text, RULES)
    assert quick is not None
    assert quick == decode(text, RULES, json_in_strings=False)


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"[]", b"{", b'{"requests":[]}', b'{"requests":[{"path":"/a"}]}x', b'{"requests":[{"path":"\xff"}]}'),
        *(b'{"requests":[{"path":"/a","method":"POST","body":%b}]}' % body for body in NOT_JSON),
        b'{"requests":[{"path":"/a"},{"path":"/a","method":"POST","body":[1]},{"path":"/a","method":"POST","body":[1e999]}]}',
    ],
)
def test_what_is_no_envelope_is_left_to_the_long_way(text: bytes) -> None:
    assert decode_plain(text, RULES) is None


def test_what_only_looks_too_much_in_a_body_is_plain() -> None:
    envelope = {"requests": [{"path": "/a", "method": "POST", "body": {"id": "3fe4000", "art": "[" * 70}}]}
    assert decode_plain(json.dumps(envelope).encode(), RULES) is not None


def test_each_operation_has_its_own_headers() -> None:
    given = [{"a": "1"}, {"a": "1"}, {"a": "2"}, None, {"a": "1"}]
    requests = [{"path": "/"} | ({} if headers is None else {"headers": headers}) for headers in given]
    quick = decode_plain(json.dumps({"requests": requests}).encode(), RULES)
    assert quick is not None
    assert [operation.headers for operation in quick.operations] == [
        () if headers is None else (("a", (headers["a"],)),) for headers in given
    ]


def test_the_limits_hold_on_the_quick_way() -> None:
    text = json.dumps({"requests": [{"path": "/abc", "name": "abc", "headers": {"a": "b"}}]}).encode()
    assert decode_plain(text, Rules(Limits(operations=1, name=3, target=4, headers=1))) is not None
    assert decode_plain(text, Rules(Limits(name=2))) is None
    assert decode_plain(text, Rules(Limits(target=3))) is None
    assert decode_plain(text, Rules(Limits(headers=0))) is None
    assert decode_plain(text, Rules(Limits(operations=0))) is None
