"""Row D2 of the fault table: TLS that cannot be trusted is a failure of its own, and never plain HTTP instead."""

import ssl
from pathlib import Path

import pytest

from gateway.messages import Failure, Reason, Response
from tests.support.room import ask, room_for
from tests.support.upstream import ScriptedUpstream, close, refused_port, respond

CERTIFICATES = Path(__file__).parent.parent / "support" / "certificates"
TRUSTED = {"ca": str(CERTIFICATES / "ca.pem")}


def serve_as(name: str) -> ssl.SSLContext:
    """The server's side of TLS with one of the certificates."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / f"{name}.pem")
    return context


def serve_members_only() -> ssl.SSLContext:
    context = serve_as("server")
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # 1.3 refuses after the handshake, and asyncio's server without a word
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(CERTIFICATES / "ca.pem")
    return context


def serve_as_in_1999() -> ssl.SSLContext:
    context = serve_as("server")
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


async def test_a_trusted_certificate() -> None:
    async with (
        ScriptedUpstream(lambda _: respond(200, b"ok"), tls=serve_as("server")) as upstream,
        room_for(upstream.url, tls=TRUSTED) as room,
    ):
        assert await room.send(ask()) == Response(200, (), b"ok")
        await room.send(ask())
        assert upstream.connections == 1


@pytest.mark.parametrize(
    ("certificate", "tls", "says"),
    [
        ("expired", TRUSTED, "has a certificate that is not trusted: certificate has expired"),
        ("elsewhere", TRUSTED, "has a certificate that is not trusted: IP address mismatch"),
        ("server", {}, "has a certificate that is not trusted: "),
        ("server", {**TRUSTED, "server_name": "other.test"}, "has a certificate that is not trusted: Hostname mismatch"),
    ],
    ids=["expired", "for another host", "unknown authority", "not the name asked for"],
)
async def test_d2_a_certificate_that_is_not_trusted(certificate: str, tls: dict[str, str], says: str) -> None:
    async with (
        ScriptedUpstream(lambda _: respond(200), tls=serve_as(certificate)) as upstream,
        room_for(upstream.url, tls=tls, retries=1) as room,
    ):
        outcome = await room.send(ask(method="POST"))
        assert isinstance(outcome, Failure)
        assert (outcome.reason, outcome.maybe_processed) == (Reason.UPSTREAM_TLS, False)
        assert outcome.detail.startswith(f"users ({upstream.url}) {says}")
        assert upstream.arrivals == []


async def test_a_name_to_check_in_place_of_the_urls() -> None:
    async with (
        ScriptedUpstream(lambda _: respond(200, b"ok"), tls=serve_as("server")) as upstream,
        room_for(upstream.url, tls={**TRUSTED, "server_name": "users.test"}) as room,
    ):
        assert await room.send(ask()) == Response(200, (), b"ok")
        assert upstream.arrivals[0].header("host") == f"127.0.0.1:{upstream.port}"


async def test_unchecked_where_the_configuration_says_so() -> None:
    async with (
        ScriptedUpstream(lambda _: respond(200, b"ok"), tls=serve_as("expired")) as upstream,
        room_for(upstream.url, tls={"verify": False}) as room,
    ):
        assert await room.send(ask()) == Response(200, (), b"ok")


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""], ids=["plain HTTP", "closes"])
async def test_d2_no_tls_on_the_other_side(greeting: bytes) -> None:
    async with ScriptedUpstream(on_connect=lambda _: close(greeting)) as upstream:
        url = f"https://127.0.0.1:{upstream.port}"
        async with room_for(url, tls=TRUSTED) as room:
            outcome = await room.send(ask(method="POST"))
    assert isinstance(outcome, Failure)
    assert (outcome.reason, outcome.maybe_processed) == (Reason.UPSTREAM_TLS, False)
    assert url in outcome.detail


async def test_d2_tls_1_0_is_too_old() -> None:
    async with (
        ScriptedUpstream(lambda _: respond(200), tls=serve_as_in_1999()) as upstream,
        room_for(upstream.url, tls=TRUSTED) as room,
    ):
        outcome = await room.send(ask())
        assert isinstance(outcome, Failure)
        assert outcome.reason is Reason.UPSTREAM_TLS
        assert upstream.arrivals == []


async def test_a_refused_connection_is_no_matter_of_tls() -> None:
    async with room_for(f"https://127.0.0.1:{refused_port()}", tls=TRUSTED) as room:
        outcome = await room.send(ask())
    assert isinstance(outcome, Failure)
    assert outcome.reason is Reason.UPSTREAM_CONNECT


async def test_the_gateway_shows_its_certificate() -> None:
    async with (
        ScriptedUpstream(lambda _: respond(200, b"ok"), tls=serve_members_only()) as upstream,
        room_for(upstream.url, tls={**TRUSTED, "certificate": str(CERTIFICATES / "client.pem")}) as room,
    ):
        assert await room.send(ask()) == Response(200, (), b"ok")


async def test_a_gateway_without_the_certificate_that_is_asked_for() -> None:
    async with (
        ScriptedUpstream(lambda _: respond(200, b"ok"), tls=serve_members_only()) as upstream,
        room_for(upstream.url, tls=TRUSTED) as room,
    ):
        outcome = await room.send(ask())
        assert isinstance(outcome, Failure)
        assert outcome.reason is Reason.UPSTREAM_TLS
        assert upstream.arrivals == []
