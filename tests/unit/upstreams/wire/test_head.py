"""What goes over the wire."""

import pytest

from gateway import __version__
from gateway.messages import Failure, Headers, Reason, Request, Response
from gateway.upstreams.wire.broken import Broken
from gateway.upstreams.wire.head import KEPT, HeadWriter
from tests.support.room import ask, room_for
from tests.support.upstream import Arrival, ScriptedUpstream, respond


def write(method: str = "GET", target: str = "/", headers: Headers = (), body: bytes | None = None) -> str:
    """The head as text."""
    request = Request("users", method, target, headers, body, 0.0)
    return HeadWriter("users:8080", reuse=True).write(request).decode("latin-1")


async def arrival_of(method: str = "GET", target: str = "/", headers: Headers = (), body: bytes | None = None) -> Arrival:
    """The request as the upstream sees it."""
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for(upstream.url) as room:
        outcome = await room.send(ask(target, method, headers, body))
        assert isinstance(outcome, Response), outcome
        return upstream.arrivals[0]


async def test_nothing_is_sent_but_what_was_asked_and_this_hops_own_fields() -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for(upstream.url) as room:
        await room.send(ask("/users/1", headers=(("x-tenant", "a"), ("accept", "text/plain"))))
        assert upstream.arrivals == [
            Arrival(
                "GET",
                "/users/1",
                (
                    ("host", f"127.0.0.1:{upstream.port}"),
                    ("accept-encoding", "gzip, deflate, br, zstd"),
                    ("user-agent", f"batch-gateway/{__version__}"),
                    ("x-tenant", "a"),
                    ("accept", "text/plain"),
                ),
                b"",
                connection=1,
            )
        ]


async def test_a_user_agent_that_was_asked_for_is_kept() -> None:
    assert (await arrival_of(headers=(("user-agent", "mine/1"),))).values("user-agent") == ["mine/1"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content-length", "50"),
        ("transfer-encoding", "chunked"),
        ("host", "evil.example"),
        ("connection", "close"),
        ("expect", "100-continue"),
    ],
)
async def test_framing_is_never_the_callers(name: str, value: str) -> None:
    arrival = await arrival_of("POST", headers=((name, value),), body=b'{"a": 1}')
    assert arrival.body == b'{"a": 1}'
    assert arrival.values("content-length") == ["8"]
    assert value not in arrival.values(name)


@pytest.mark.parametrize("name", ["authorization", "cookie", "x-api-key", "content-encoding", "traceparent", "via"])
async def test_other_fields_pass_as_they_are(name: str) -> None:
    assert (await arrival_of(headers=((name, 'a=1; b="2", c'),))).values(name) == ['a=1; b="2", c']


async def test_a_field_with_several_lines_keeps_them() -> None:
    assert (await arrival_of(headers=(("x", "1"), ("x", "2")))).values("x") == ["1", "2"]


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/users/1",
        "/users/1/",
        "/a//b",
        "//evil.example/x",
        "/a%2Fb",
        "/a%2fb",
        "/%7Euser",
        "/~user",
        "/a%20b+c",
        "/a;b=1",
        "/a/./b/../c",
        "/x?a=1&b=%26&c=+&d=%2B",
        "/x?a=b?c/d",
        "/x?",
        "/x?q=%zz",
        "/x?url=http://u:p@evil.example/",
        "/@evil.example/",
        "/:80",
        "/\\evil",
        "/'\"<>",
    ],
)
async def test_targets_are_sent_byte_for_byte(target: str) -> None:
    arrival = await arrival_of(target=target)
    assert arrival.target == target
    assert (arrival.header("host") or "").startswith("127.0.0.1:")


@pytest.mark.parametrize(
    "target",
    [
        "",
        "x",
        "@127.0.0.1:1/x",
        ".evil.example/",
        ":81/x",
        "http://evil.example/",
        "/x#fragment",
        "?x",
        "/a\r\nX: y",
        "/a\tb",
        "/a b",
        "/é",
        "*",
    ],
)
async def test_a_target_that_would_lead_elsewhere_connects_to_nothing(target: str) -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for(upstream.url) as room:
        outcome = await room.send(ask(target))
        detail = f"users ({upstream.url}) was not sent the request: its target would not arrive as it is"
        assert outcome == Failure(Reason.PATH_NOT_ALLOWED, detail)
        assert upstream.connections == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1])
async def test_bodies_have_a_content_length_and_no_content_type_of_ours(method: str, size: int) -> None:
    arrival = await arrival_of(method, body=b"x" * size)
    assert arrival.body == b"x" * size
    assert arrival.values("content-length") == [str(size)]
    assert arrival.values("transfer-encoding") == []
    assert arrival.values("content-type") == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_no_body_no_framing(method: str) -> None:
    arrival = await arrival_of(method)
    assert (arrival.method, arrival.values("content-length"), arrival.values("content-type")) == (method, [], [])


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_methods_that_anticipate_content_say_that_there_is_none(method: str) -> None:
    assert "\r\ncontent-length: 0\r\n" in write(method)


def test_values_go_out_as_latin_1() -> None:
    assert "\r\nx: aÿéb\r\n" in write(headers=(("x", "aÿéb"),))


def test_without_fields_a_head_is_whole() -> None:
    own = f"host: users:8080\r\naccept-encoding: gzip, deflate, br, zstd\r\nuser-agent: batch-gateway/{__version__}\r\n"
    assert write() == f"GET / HTTP/1.1\r\n{own}\r\n"


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ((("x", "a\r\ny: b"),), "the value of a header would not stay on its line"),
        ((("x y", "a"),), "the name of a header is not one"),
        ((("x", "€"),), "the value of a header holds a character beyond latin-1"),
        ((("x", "\ud800"),), "the value of a header holds a character beyond latin-1"),
    ],
    ids=["CRLF", "blank in a name", "beyond latin-1", "surrogate"],
)
async def test_a_header_that_cannot_be_sent_connects_to_nothing(headers: Headers, says: str) -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for(upstream.url) as room:
        outcome = await room.send(ask(headers=headers))
        assert outcome == Failure(Reason.INVALID_HEADER, f"users ({upstream.url}) was not sent the request: {says}")
        assert upstream.connections == 0


@pytest.mark.parametrize("method", ["", "get", "CONNECT", "TRACE", "G ET", "GET / HTTP/1.1\r\nx: y"])
def test_other_methods_are_not_sent(method: str) -> None:
    with pytest.raises(Broken):
        write(method)


TRACE = ("traceparent", f"00-{'a' * 32}-{'b' * 16}-00")


@pytest.mark.parametrize(
    "common",
    [(), (("accept", "x"),), (("accept", "x"), ("host", "evil.example"), ("user-agent", "mine/1"))],
    ids=["none", "one", "agent"],
)
@pytest.mark.parametrize("after", [(), (("content-type", "text/plain"),)], ids=["last", "typed"])
def test_what_a_batch_has_in_common_is_kept_and_changes_nothing(common: Headers, after: Headers) -> None:
    writer = HeadWriter("users:8080", reuse=True)
    headers = (*common, TRACE, *after)
    other = ("traceparent", f"00-{'a' * 32}-{'c' * 16}-00")
    first = writer.write(Request("users", "GET", "/1", headers, None, 0.0))
    second = writer.write(Request("users", "GET", "/1", (*common, other, *after), None, 0.0))
    assert first == second.replace(b"c" * 16, b"b" * 16)
    assert first.decode() == write("GET", "/1", (*common, ("x-trace", TRACE[1]), *after)).replace("x-trace", "traceparent")


@pytest.mark.parametrize("headers", [(("traceparent", "a\r\nx: y"),), (TRACE, ("content-type", "a\nx: y"))])
def test_a_value_after_what_is_kept_stays_on_its_line_too(headers: Headers) -> None:
    with pytest.raises(Broken, match="would not stay on its line"):
        write(headers=headers)


def test_a_trace_anywhere_else_is_a_field_like_others() -> None:
    assert write(headers=(TRACE, ("user-agent", "mine/1"))).count("user-agent") == 1


def test_only_so_many_lists_of_fields_are_kept() -> None:
    writer = HeadWriter("users:8080", reuse=True)
    for number in range(3 * KEPT):
        writer.write(Request("users", "GET", "/", (("x-request-id", str(number)), TRACE), None, 0.0))
    assert len(writer._kept) <= KEPT
