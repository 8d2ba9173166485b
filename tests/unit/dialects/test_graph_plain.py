"""The quick way through the Graph envelope gives what the long way gives, or gives up."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.batch.compile import Rules
from gateway.dialects.graph_decode import decode_graph
from gateway.dialects.graph_plain import decode_plain_graph
from gateway.dialects.graph_url import Base
from tests.support.batches import rules

BASES = [Base(), Base("/v1.0", "gw.example"), Base("/v1.0", "gw.example", keeps_version=True)]
RULES = Rules()
NARROW = rules(operations=3, name=3, target=20, depth=5, headers=1)

IDS = st.sampled_from(["1", "2", "3", "a", "A", "b:c", "{", "", "\n", "__proto__", "long"])
PLAIN_URLS = ["/users/1", "users/2", "/v1.0/users", "v1.0", "/users?$top=1", "http://gw.example/users"]
OTHER_URLS = ["$1/x", "/users/$1/id", "/u?x=$1/id", "/users/$count", "${", "", "http://x.example/users", "//gw.example/u"]
BAD_URLS = ["/a//b", "/../x", "/a\n/b", "/a b", "/x" * 20, "/ü"]
URLS = st.sampled_from([*PLAIN_URLS, *OTHER_URLS, *BAD_URLS])
GOOD_HEADERS: list[Any] = [{}, {"Content-Type": "application/json"}, {"content-type": "a/b+json", "x": "1"}, {"x": None}]
ODD_HEADERS: list[Any] = [{"content-type": "text/plain"}, {"x": "${status=1}"}, {"host": "x"}, [], {"Content-Type": None}, None]
HEADERS = st.sampled_from([*GOOD_HEADERS, *ODD_HEADERS])
BODIES = st.sampled_from([{}, {"a": "$1/id"}, {"a": "$10"}, {"a": "$${"}, {"é": "\u0024{"}, [1], [[[[1]]]], "x", None, 1e300])
REQUESTS = st.fixed_dictionaries(
    {"id": IDS, "method": st.sampled_from(["GET", "POST", "post", "PUT", "X"]), "url": URLS},
    optional={
        "headers": HEADERS,
        "body": BODIES,
        "dependsOn": st.lists(IDS, max_size=2),
        "depends_on": st.lists(IDS, max_size=2),
        "if": st.none() | st.just("x"),
    },
)


@given(requests=st.lists(REQUESTS, max_size=4), base=st.sampled_from(BASES), narrow=st.booleans(), escaped=st.booleans())
def test_both_ways_give_the_same_envelope(requests: list[Any], base: Base, narrow: bool, escaped: bool) -> None:
    body = json.dumps({"requests": requests}, ensure_ascii=escaped).encode()
    chosen = NARROW if narrow else RULES
    plain = decode_plain_graph(body, chosen, base)
    if plain is not None:
        assert plain == decode_graph(body, chosen, base)


@pytest.mark.parametrize(
    "request_",
    [
        {"url": "/users/1"},
        {"url": "v1.0/users/1?$select=id"},
        {"url": "http://gw.example/v1.0/users/1"},
        {"url": "/users", "method": "POST", "headers": {"content-type": "application/json"}, "body": {"a": 1}},
        {"url": "/users", "dependsOn": ["0"]},
        {"url": "/users", "depends_on": ["0"]},
    ],
    ids=lambda request_: "-".join(request_) + request_["url"][:4],
)
def test_what_clients_send_is_plain(request_: dict[str, Any]) -> None:
    requests = [{"id": "0", "method": "GET", "url": "/users"}, {"id": "1", "method": "GET", **request_}]
    assert decode_plain_graph(json.dumps({"requests": requests}).encode(), RULES, BASES[1]) is not None


def test_a_line_end_in_a_url_is_not_let_through() -> None:
    requests = [{"id": str(n), "method": "GET", "url": url} for n, url in enumerate(["/a?$top=1", "/a HTTP/1.1\n/b"])]
    body = json.dumps({"requests": requests}).encode()
    assert decode_plain_graph(body, RULES, BASES[0]) is None
    assert decode_graph(body, RULES, BASES[0]).problems != ()


def test_ids_that_differ_in_case_only_are_left_to_the_long_way_which_refuses_them() -> None:
    body = json.dumps({"requests": [{"id": name, "method": "GET", "url": "/users"} for name in ("a", "A")]}).encode()
    assert decode_plain_graph(body, RULES, BASES[0]) is None
    assert [problem.pointer for problem in decode_graph(body, RULES, BASES[0]).problems] == ["/requests/1/name"]
