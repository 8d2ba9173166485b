"""Making a connection: names resolved anew each time, addresses of both families raced (RFC 8305), TLS verified."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast
from urllib.parse import unquote, urlsplit

import aiohappyeyeballs

from gateway.messages import Reason
from gateway.upstreams.wire.broken import Broken

C = TypeVar("C")

HEAD_START = 0.25
"""Seconds that one address has before the next is tried beside it (RFC 8305 section 5)."""

UNIX = "http+unix"
"""Scheme of a URL whose host is the percent-encoded path of a unix socket."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an upstream is: a host and port, or the path of a unix socket; with `tls`, what certificates must be to pass.

    `authority` is what requests call it (RFC 9112 section 3.2).
    """

    authority: str
    host: str
    port: int
    path: str | None = None
    tls: ssl.SSLContext | None = None
    server_name: str | None = None


def read_address(origin: str, tls: ssl.SSLContext | None, server_name: str | None) -> Address:
    """The address of an origin. `server_name` is asked for, and checked, in place of the host."""
    url = urlsplit(origin)
    if url.scheme == UNIX:
        return Address("localhost", "", 0, unquote(url.netloc))
    host = url.hostname or ""
    return Address(url.netloc, host, url.port or (80 if tls is None else 443), None, tls, server_name or host)


async def connect(address: Address, connection: C, timeout: float, is_wanted: Callable[[], bool]) -> C | Broken | None:
    """The connection made, or why it was not within `timeout` seconds. None: asked when this began, it was not wanted.

    `connection` has the methods of an `asyncio.Protocol`, and need not be one by inheritance.
    """
    if not is_wanted():
        return None
    try:
        async with asyncio.timeout(timeout):
            await dial(address, lambda: cast(asyncio.Protocol, connection))
    except Broken as error:
        return error
    except TimeoutError:
        return Broken(Reason.UPSTREAM_TIMEOUT, f"accepted no connection within {timeout:g} s")
    return connection


async def dial(address: Address, make_protocol: Callable[[], asyncio.Protocol]) -> None:
    """Connect; what `make_protocol` makes has the connection then. Broken with connect, dns or tls if that cannot be."""
    loop = asyncio.get_running_loop()
    secure = address.tls is not None
    try:
        if address.path is not None:
            await loop.create_unix_connection(make_protocol, address.path)
            return
        found = await _resolve(loop, address)
        # Not create_connection(host, …): uvloop's tries one address after the other, for as long as each may take.
        connected = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=HEAD_START, interleave=1, loop=loop)
        try:
            name = address.server_name if secure else None
            await loop.create_connection(make_protocol, sock=connected, ssl=address.tls, server_hostname=name)
        except BaseException:
            connected.close()  # uvloop may have failed before the socket was its own to close
            raise
    except OSError as error:
        raise explain(error, secure) from error


async def _resolve(loop: asyncio.AbstractEventLoop, address: Address) -> list[aiohappyeyeballs.AddrInfoType]:
    """An address needs no resolving, and so none of the threads for that, which names that hang may all hold."""
    try:
        flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        return list(socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=flags))
    except socket.gaierror:
        return list(await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM))


def explain(error: OSError, secure: bool) -> Broken:
    """Reason and words for why there is no connection: the system's and OpenSSL's words, never the upstream's."""
    match error:
        case socket.gaierror():
            return Broken(Reason.UPSTREAM_DNS, "has a name that could not be resolved")
        case ssl.SSLCertVerificationError():
            why = error.verify_message or "it does not fit the name"
            return Broken(Reason.UPSTREAM_TLS, f"has a certificate that is not trusted: {why}")
        case ssl.SSLError():
            return Broken(Reason.UPSTREAM_TLS, f"made no TLS connection: {say(error)}")
        case ConnectionResetError() | ConnectionAbortedError() if secure:
            return Broken(Reason.UPSTREAM_TLS, "closed the connection during the TLS handshake")
        case _:
            return Broken(Reason.UPSTREAM_CONNECT, _WORDS.get(error.errno) or _spell(error.errno))


def say(error: ssl.SSLError) -> str:
    """OpenSSL's name for what went wrong, in words."""
    return (error.reason or "the handshake failed").replace("_", " ").lower()


def _spell(number: int | None) -> str:
    """No number: there were several addresses, and each failed in its own way."""
    return (
        f"could not be connected to: {os.strerror(number)}" if number else "could not be connected to at any of its addresses"
    )


_WORDS: dict[int | None, str] = {
    errno.ECONNREFUSED: "refused the connection",
    errno.ENOENT: "has no socket there",
    errno.EHOSTUNREACH: "is not reachable from here",
    errno.ENETUNREACH: "is not reachable from here",
    errno.EMFILE: "could not be connected to: this process has too many files open",
}
