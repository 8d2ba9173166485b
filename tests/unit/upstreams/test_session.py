"""What goes over the wire, and the private parts of aiohttp that the transport leans on."""

from typing import Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler

from gateway import __version__
from gateway.messages import Failure, Headers, Reason, Response
from gateway.upstreams.session import CleanPool, Session
from tests.support.room import ask, begin, room_for
from tests.support.upstream import Arrival, ScriptedUpstream, respond


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
                    ("Host", f"127.0.0.1:{upstream.port}"),
                    ("x-tenant", "a"),
                    ("accept", "text/plain"),
                    ("user-agent", f"batch-gateway/{__version__}"),
                    ("accept-encoding", "gzip, deflate"),
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
    ["", "x", "@127.0.0.1:1/x", ".evil.example/", ":81/x", "http://evil.example/", "/x#fragment", "?x", "/a\r\nX: y", "/a\tb"],
)
async def test_a_target_that_would_lead_elsewhere_connects_to_nothing(target: str) -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for(upstream.url) as room:
        outcome = await room.send(ask(target))
        assert outcome == Failure(Reason.PATH_NOT_ALLOWED, f"the target would not reach users ({upstream.url}) as it is")
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


async def test_connections_are_kept_and_used_again() -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for(upstream.url) as room:
        for _ in range(3):
            await room.send(ask())
        assert [arrival.connection for arrival in upstream.arrivals] == [1, 1, 1]


async def test_without_keepalive_each_connection_is_used_once() -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for(upstream.url, keepalive=0) as room:
        for _ in range(3):
            await room.send(ask())
        assert [(arrival.connection, arrival.header("connection")) for arrival in upstream.arrivals] == [
            (1, "close"),
            (2, "close"),
            (3, "close"),
        ]
        assert room.gauges()["users"].connections == 0


async def test_every_connection_in_flight_is_counted() -> None:
    async with ScriptedUpstream() as upstream, room_for(upstream.url) as room:
        tasks = [await begin(room, ask()) for _ in range(3)]
        await upstream.arrived(3)
        assert room.gauges()["users"].connections == 3
        for exchange in upstream.exchanges:
            exchange.answer(respond(200))
        for task in tasks:
            await task


async def test_sending_before_the_start_is_a_bug() -> None:
    session = Session("users", "http://127.0.0.1:1", limit=1, connect_timeout=1, keepalive=1, show_cookies=False)
    with pytest.raises(RuntimeError, match=r"users \(http://127.0.0.1:1\) is used before start"):
        await session.attempt(ask())


class CountingPool(CleanPool):
    """Counts how often aiohttp calls what CleanPool overrides."""

    got = released = 0

    async def _get(self, key: Any, traces: Any) -> Any:
        self.got += 1
        return await super()._get(key, traces)

    def _release(self, key: Any, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        self.released += 1
        super()._release(key, protocol, should_close=should_close)


async def test_aiohttp_still_has_the_private_parts_that_are_overridden() -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream:
        pool = CountingPool()
        async with aiohttp.ClientSession(connector=pool) as client:
            assert client._retry_connection is True
            async with client.get(upstream.url) as response:
                assert response.connection is None or isinstance(response.connection.protocol, ResponseHandler)
        assert (pool.got, pool.released) == (1, 1)
    assert {"set_exception", "should_close", "abort"} <= set(dir(ResponseHandler))
