"""How an upstream is reached: by name or address, IPv4 or IPv6, or by a unix socket."""

import asyncio
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.messages import Failure, Reason, Response
from gateway.upstreams.wire.dial import Address, read_address
from tests.support.room import ask, room_for
from tests.support.upstream import ScriptedUpstream, respond

OK = Response(200, (), b"")


@pytest.mark.parametrize(
    ("origin", "address"),
    [
        ("http://users", Address("users", "users", 80)),
        ("http://users:8080", Address("users:8080", "users", 8080)),
        ("http://[::1]:8080", Address("[::1]:8080", "::1", 8080)),
        ("http+unix://%2Frun%2Fusers.sock", Address("localhost", "", 0, "/run/users.sock")),
    ],
)
def test_origins_are_addresses(origin: str, address: Address) -> None:
    assert replace(read_address(origin, None, None), server_name=None) == address


async def test_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "users.sock")
    async with ScriptedUpstream(lambda _: respond(200), path=path) as upstream, room_for(upstream.url) as room:
        assert await room.send(ask()) == OK
        await room.send(ask())
        assert [arrival.header("host") for arrival in upstream.arrivals] == ["localhost", "localhost"]
        assert upstream.connections == 1


async def test_a_unix_socket_that_is_not_there(tmp_path: Path) -> None:
    url = f"http+unix://{str(tmp_path / 'users.sock').replace('/', '%2F')}"
    async with room_for(url) as room:
        assert await room.send(ask(method="POST")) == Failure(Reason.UPSTREAM_CONNECT, f"users ({url}) has no socket there")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_name_with_addresses_of_both_families(host: str) -> None:
    async with (
        ScriptedUpstream(lambda _: respond(200), host=host) as upstream,
        room_for(f"http://localhost:{upstream.port}") as room,
    ):
        resolve_as(host, "127.0.0.1" if host == "::1" else "::1", port=upstream.port)
        assert await room.send(ask()) == OK


async def test_an_ipv6_address() -> None:
    async with ScriptedUpstream(lambda _: respond(200), host="::1") as upstream, room_for(upstream.url) as room:
        assert await room.send(ask()) == OK
        assert upstream.arrivals[0].header("host") == f"[::1]:{upstream.port}"


def resolve_as(*hosts: str, port: int) -> list[str]:
    """Make every name mean these addresses, in this order; the names that were asked for."""
    asked: list[str] = []
    families = {True: socket.AF_INET6, False: socket.AF_INET}
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def getaddrinfo(name: str, *arguments: Any, **options: Any) -> Any:
        if name in hosts:  # uvloop asks for addresses too, when it connects
            return await resolve(name, *arguments, **options)
        asked.append(name)
        return [(families[":" in host], socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port)) for host in hosts]

    loop.getaddrinfo = getaddrinfo  # type: ignore[method-assign, assignment]
    return asked


async def test_an_address_that_does_not_answer_does_not_hold_up_the_next() -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for("http://users.test", connect_timeout=5) as room:
        with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
            deaf.bind(("127.0.0.2", upstream.port))
            deaf.listen(0)
            for filler in (first, second):  # the backlog is full, and what comes now hangs
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.2", upstream.port))
            resolve_as("127.0.0.2", "127.0.0.1", port=upstream.port)
            assert await room.send(ask()) == OK


async def test_a_name_is_resolved_anew_for_each_connection() -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for("http://users.test", keepalive=0) as room:
        asked = resolve_as("127.0.0.1", port=upstream.port)
        for _ in range(3):
            assert await room.send(ask()) == OK
        assert asked == ["users.test"] * 3


async def test_an_address_is_not_resolved() -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for(upstream.url) as room:
        asked = resolve_as("127.0.0.1", port=upstream.port)
        assert await room.send(ask()) == OK
        assert asked == []


async def test_addresses_that_fail_in_different_ways_have_one_reason() -> None:
    async with room_for("http://users.test") as room:
        resolve_as("127.0.0.1", "255.255.255.255", port=1)
        outcome = await room.send(ask(method="POST"))
        assert isinstance(outcome, Failure)
        assert (outcome.reason, outcome.maybe_processed) == (Reason.UPSTREAM_CONNECT, False)
        assert outcome.detail == "users (http://users.test) could not be connected to at any of its addresses"
