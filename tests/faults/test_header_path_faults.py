"""HAZARDS, table C: headers, paths, methods and bodies of operations, as far as no socket is needed to see them.

C3, C8, C15 and C16 are about the outer request and tested at the server; what becomes of its headers here is below.
"""

from typing import Any
from urllib.parse import parse_qsl

import pytest

from gateway.batch.compile import Rules
from gateway.batch.routes import HeaderPolicy, Route, RouteTable
from gateway.batch.target import TargetRules
from gateway.dialects.dialect import Asked
from gateway.messages import Context, Headers, Reason, Request
from gateway.pipeline import answer
from tests.support.batches import CONTEXT, NATIVE, Script, engine, envelope, ok, problems, run

ROOT = RouteTable((Route("any", "/"),))
POLICY = HeaderPolicy(frozenset({"authorization", "accept"}), frozenset(), (("x-key", "ours"),))


async def send(operation: dict[str, Any], outer: Headers = (), policy: HeaderPolicy = POLICY, **fields: Any) -> Request:
    """The request that an operation becomes."""
    script = Script()
    table = RouteTable((Route("any", "/", policy=policy),))
    context = Context("r", CONTEXT.trace, "c", outer, (("x-request-id", "r"), ("x-forwarded-for", "192.0.2.1")))
    await answer(Asked(envelope(operation, **fields)), NATIVE, context, engine(script, routes=table))
    (request,) = script.requests
    return request


def refused(operation: dict[str, Any], rules: Rules | None = None) -> list[tuple[str, Reason]]:
    return [(problem.pointer, problem.reason) for problem in problems(envelope(operation), rules, ROOT)]


C1_C2 = [
    "Host", "Content-Length", "Transfer-Encoding", "Connection", "TE", "Trailer", "Upgrade", "Expect", "Keep-Alive",
    "Proxy-Authorization", "Proxy-Connection", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
    "X-Forwarded-Prefix", "Forwarded", "X-Original-URL", "X-HTTP-Method-Override", "Via", "x-REAL-ip", "X_Forwarded_For",
    "X_Real-IP", "Transfer_Encoding",
]  # fmt: skip


@pytest.mark.parametrize("name", C1_C2)
@pytest.mark.parametrize("place", ["envelope", "operation"])
def test_c1_c2_headers_that_are_the_gateways_own(name: str, place: str) -> None:
    if place == "envelope":
        found = problems(envelope("/a", headers={name: "x"}), routes=ROOT)
        assert [(problem.pointer, problem.reason) for problem in found] == [(f"/headers/{name}", Reason.HEADER_NOT_ALLOWED)]
    else:
        assert refused({"path": "/a", "headers": {name: "x"}}) == [(f"/requests/0/headers/{name}", Reason.HEADER_NOT_ALLOWED)]


@pytest.mark.parametrize("name", ["X Y", "X:Y", "", "Xé", "X\r\nY", "X-Real-IP ", "\x00", "x" * 10 + "\n"])
def test_c4_names_that_are_none(name: str) -> None:
    (found,) = refused({"path": "/a", "headers": {name: "x"}})
    assert found == (f"/requests/0/headers/{name}", Reason.INVALID_HEADER)


@pytest.mark.parametrize(
    "value",
    ["a\rb", "a\nb", "a\x00b", "a\x7fb", "a\x01b", " a", "a ", "x" * 8193, "€"],
    ids=["cr", "lf", "nul", "del", "01", "leading", "trailing", "8193", "euro"],
)
def test_c5_values_that_no_header_can_carry(value: str) -> None:
    assert refused({"path": "/a", "headers": {"x": value}}) == [("/requests/0/headers/x", Reason.INVALID_HEADER)]


def test_c5_65_headers() -> None:
    headers = {f"x-{index}": "1" for index in range(65)}
    assert refused({"path": "/a", "headers": headers}) == [("/requests/0/headers", Reason.INVALID_HEADER)]


async def test_c6_one_header_on_the_wire_and_the_operation_wins() -> None:
    operation = {"path": "/a", "headers": {"ACCEPT": "first", "Accept": "operation"}}
    request = await send(operation, (("accept", "outer"),), headers={"aCCept": "envelope"})
    assert [value for name, value in request.headers if name == "accept"] == ["operation"]


def test_c7_a_cookie_is_refused_where_cookies_are_not_forwarded() -> None:
    assert refused({"path": "/a", "headers": {"cookie": "a=1"}}) == [("/requests/0/headers", Reason.HEADER_NOT_ALLOWED)]


async def test_c7_and_one_for_the_whole_batch_stays_away() -> None:
    assert "cookie" not in dict((await send({"path": "/a"}, (("cookie", "outer=1"),), headers={"cookie": "a=1"})).headers)


async def test_c7_nothing_that_an_answer_sets_is_sent_on() -> None:
    body = envelope({"name": "a", "path": "/any/a"}, {"path": "/any/b", "dependsOn": ["a"]})
    ran = await run(body, {"/any/a": ok({}, set_cookie="s=1")})
    assert "cookie" not in dict(ran.sent[1].headers)


@pytest.mark.parametrize(
    ("policy", "sent"),
    [
        (HeaderPolicy(), None),
        (HeaderPolicy(forward=frozenset({"authorization"})), "outer"),
        (HeaderPolicy(forward=frozenset({"authorization"}), set=(("authorization", "ours"),)), "ours"),
    ],
    ids=["none", "forward", "static"],
)
async def test_c8_the_outer_authorization(policy: HeaderPolicy, sent: str | None) -> None:
    request = await send({"path": "/a"}, (("authorization", "outer"),), policy)
    assert dict(request.headers).get("authorization") == sent


async def test_c2_identity_is_set_last_and_only_once() -> None:
    headers = {
        "x-request-id": "theirs",
        "X_Request_Id": "theirs",
        "x-key": "theirs",
        "X_Key": "theirs",
        "traceparent": "theirs",
    }
    request = await send({"path": "/a", "headers": headers})
    names = [name.replace("_", "-") for name, _ in request.headers]
    assert sorted(names) == ["traceparent", "x-forwarded-for", "x-key", "x-request-id"]
    assert not [value for _, value in request.headers if "theirs" in value]


C9_C11 = {
    "C9-relative": "a",
    "C9-empty": "",
    "C9-two-slashes": "//evil/a",
    "C9-userinfo": "@127.0.0.1:1/x",
    "C9-domain": ".evil.com/",
    "C9-port": ":8080/",
    "C9-url": "http://evil/a",
    "C9-backslashes": "\\\\evil",
    "C9-backslash": "/\\evil",
    "C10-parent": "/a/../b",
    "C10-parent-at-the-end": "/a/..",
    "C10-encoded-parent": "/a/%2e%2e/b",
    "C10-half-encoded": "/a/.%2E/b",
    "C10-parameters": "/a/..;/b",
    "C10-double-encoded": "/a/%252e/b",
    "C10-slash": "/a%2fb",
    "C10-backslash": "/a%5cb",
    "C10-nul": "/a%00",
    "C10-here": "/./a",
    "C10-semicolon": "/a;b",
    "C10-empty-segment": "/a//b",
    "C10-empty-at-the-end": "/a//",
    "C11-tab": "/ad\tmin",
    "C11-cr": "/a\rb",
    "C11-lf": "/a\nb",
    "C11-blank": "/a b",
    "C11-fragment": "/a#b",
    "C11-zz": "/a%zz",
    "C11-percent": "/a%",
    "C11-query": "/a?b c",
    "C11-query-fragment": "/a?b#c",
    "C11-query-lf": "/a?b\nc",
}


@pytest.mark.parametrize("path", C9_C11.values(), ids=C9_C11)
def test_paths_that_are_refused(path: str) -> None:
    assert refused({"path": path}) == [("/requests/0/path", Reason.PATH_NOT_ALLOWED)]


def test_c10_an_encoded_slash_needs_the_configuration() -> None:
    loose = Rules(targets=TargetRules(encoded_slash=True))
    assert refused({"path": "/a%2f..%5cb"}, loose) == [("/requests/0/path", Reason.PATH_NOT_ALLOWED)]
    assert refused({"path": "/a%2fb", "method": "TRACE"}, loose) == [("/requests/0/method", Reason.METHOD_NOT_ALLOWED)]


def test_c10_the_route_is_judged_on_what_servers_read() -> None:
    table = RouteTable((Route("a", "/"), Route("a", "/login", methods=frozenset({"POST"}))))
    found = problems(envelope("/%6Cogin", "/log%69n/", "/login?x"), routes=table)
    assert [problem.reason for problem in found] == [Reason.METHOD_NOT_ALLOWED] * 3


async def test_c11_characters_beyond_ascii_are_encoded() -> None:
    assert (await send({"path": "/ü/😀?q=é"})).target == "/%C3%BC/%F0%9F%98%80?q=%C3%A9"


@pytest.mark.parametrize("value", ["a+b", "a&b=c", "100%", "a b", "[x]", "é", "a\r\nb", "'\""])
async def test_c12_values_in_a_query_read_back(value: str) -> None:
    body = envelope({"name": "a", "path": "/any/a"}, {"path": "/any/b?x=1&q=${result=a:$.v}&y=2"})
    ran = await run(body, {"/any/a": ok({"v": value})})
    query = ran.sent[1].target.partition("?")[2]
    assert parse_qsl(query, strict_parsing=True) == [("x", "1"), ("q", value), ("y", "2")]


@pytest.mark.parametrize("method", ["", "get", "G ET", "CONNECT", "TRACE", "FOO", "GET\r\n", "x" * 500])
def test_c13_methods_that_are_none(method: str) -> None:
    assert refused({"path": "/a", "method": method}) == [("/requests/0/method", Reason.METHOD_NOT_ALLOWED)]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_c14_a_body_where_there_is_none(method: str) -> None:
    assert refused({"path": "/a", "method": method, "body": {}}) == [("/requests/0/body", Reason.INVALID_BODY)]


@pytest.mark.parametrize("body", ["a", "a===", "ä", "YQ==\n", "!", 1, {"a": 1}])
def test_c14_base64_that_is_none(body: Any) -> None:
    found = refused({"path": "/a", "method": "POST", "body": body, "bodyEncoding": "base64"})
    assert found == [("/requests/0/body", Reason.INVALID_BODY)]


@pytest.mark.parametrize("charset", ["rot13", "hex", "nonsense"])
def test_c14_text_in_no_charset(charset: str) -> None:
    headers = {"content-type": f"text/plain; charset={charset}"}
    found = refused({"path": "/a", "method": "POST", "headers": headers, "body": "x"})
    assert [reason for _, reason in found] == [Reason.INVALID_BODY]


def test_c14_text_that_is_none() -> None:
    operation = {"path": "/a", "method": "POST", "headers": {"content-type": "text/plain"}, "body": {"a": 1}}
    assert refused(operation) == [("/requests/0/body", Reason.INVALID_BODY)]
