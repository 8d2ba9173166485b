"""Addresses in a configuration: where to listen, where upstreams are, whom to believe. Nothing is resolved."""

import ipaddress
import os
import re
import socket
from urllib.parse import SplitResult, quote, unquote, urlsplit

from gateway.config.problems import Wrong

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

HOST_NAME = re.compile(r"(?=.{1,253}\.?$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\.?")
"""RFC 1123 section 2.1, and the underscore that container networks use."""

UNIX = "http+unix"
"""Scheme of a unix socket, whose path, percent-encoded, stands in the place of the host."""

EXAMPLE = "an upstream is an origin such as http://users:8080"
DEFAULT_PORTS = {"http": 80, "https": 443}

LONGEST_SOCKET = 103
"""Bytes of a unix socket's path that every system takes (sun_path, with its closing zero)."""


def read_origin(text: str) -> str:
    """An http or https origin (RFC 6454), lower-case and without a closing slash, or http+unix:// with a socket's path."""
    if re.search(r"[^\x21-\x7e]|\\", text) or "${" in text:
        raise Wrong("must be plain ASCII without blanks or backslashes (write other names in their xn-- form)")
    if text.startswith(f"{UNIX}:"):
        return _read_unix(text)
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise Wrong(f"is not a usable address: {EXAMPLE}", shows_value="@" not in text) from None
    _check_shape(url, text)
    host = (url.hostname or "").lower()
    if not (_parse(host) or HOST_NAME.fullmatch(host)):
        raise Wrong(f"has no usable host: {EXAMPLE}")
    if port == 0:
        raise Wrong("must not have port 0: nothing can listen there")
    shown = f"[{host}]" if ":" in host else host
    return f"{url.scheme}://{shown}" if port is None else f"{url.scheme}://{shown}:{port}"


def _read_unix(text: str) -> str:
    written = text.removeprefix(f"{UNIX}://").removesuffix("/")
    path = unquote(written)
    if not path.startswith("/") or "/" in written or "\0" in path or re.search("[?#@]", written):
        message = f"must be {UNIX}:// and the percent-encoded path of a socket, such as {UNIX}://%2Frun%2Fusers.sock"
        raise Wrong(message, shows_value="@" not in text)
    if len(os.fsencode(path)) > LONGEST_SOCKET:
        raise Wrong(f"must have a socket's path of at most {LONGEST_SOCKET} bytes: the system takes no longer one")
    return f"{UNIX}://{quote(path, safe='')}"


def _check_shape(url: SplitResult, text: str) -> None:
    if "@" in url.netloc:
        raise Wrong("must not contain a user name or password: send one with headers.set.authorization", shows_value=False)
    if url.scheme not in DEFAULT_PORTS or not text[len(url.scheme) :].startswith("://"):
        guess = f"http://{text}" if re.fullmatch(r"[\w.-]+(:[0-9]+)?", text) else ""
        raise Wrong("must begin with http:// or https:// (or http+unix://)", guess)
    if url.path not in ("", "/"):
        raise Wrong(f"must not have a path: {EXAMPLE}, and paths are passed on as they are")
    if "?" in text or "#" in text:
        raise Wrong(f"must not have a query or fragment: {EXAMPLE}")


def read_host(text: str) -> str:
    """A host name or IP address to listen on."""
    if _parse(text) or HOST_NAME.fullmatch(text):
        return text
    if text.startswith("[") and text.endswith("]"):
        raise Wrong("must be an address without brackets", text[1:-1])
    if re.fullmatch(r"[\w.-]*:[0-9]+", text):
        raise Wrong("must be a host alone: the port is a setting of its own")
    raise Wrong("must be a host name or an IP address such as 127.0.0.1")


def read_network(text: str) -> Network:
    """A network in CIDR notation; a single address is a network of one."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        pass
    try:
        meant = str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise Wrong("must be a network such as 10.0.0.0/8 or an IP address") from None
    raise Wrong("must be a network: the bits after its prefix must be zero", meant)


def split_origin(origin: str) -> tuple[str, int] | None:
    """Host and port of what `read_origin` returned; a unix socket has neither."""
    url = urlsplit(origin)
    if url.scheme == UNIX:
        return None
    return url.hostname or "", url.port or DEFAULT_PORTS[url.scheme]


def reaches(target: str, listener: str) -> bool:
    """Whether connecting to the host `target` may arrive at a socket listening on `listener`, both on this machine.

    A listener on all addresses is reached through every loopback address. Names other than localhost are compared as text.
    """
    ours, theirs = _local_addresses(listener), _local_addresses(target)
    if not ours or not theirs:
        return listener.rstrip(".").lower() == target.rstrip(".").lower()
    if _is_wildcard(listener):
        return True
    return bool({_destination(address) for address in ours} & {_destination(address) for address in theirs})


def overlap(one: str, other: str) -> bool:
    """Whether two sockets listening on these hosts cannot have the same port."""
    return reaches(one, other) or reaches(other, one) or _is_wildcard(one) or _is_wildcard(other)


def _local_addresses(host: str) -> tuple[Address, ...]:
    """The addresses of a host that is certainly this machine: loopback and unspecified ones, and localhost."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return (ipaddress.IPv4Address("127.0.0.1"), ipaddress.IPv6Address("::1"))
    address = _parse(host)
    return (address,) if address and (address.is_loopback or address.is_unspecified) else ()


def _is_wildcard(host: str) -> bool:
    address = _parse(host)
    return address is not None and address.is_unspecified


def _destination(address: Address) -> Address:
    """Connecting to the unspecified address reaches loopback."""
    if not address.is_unspecified:
        return address
    return ipaddress.IPv4Address("127.0.0.1") if address.version == 4 else ipaddress.IPv6Address("::1")


def _parse(host: str) -> Address | None:
    """An IP address in any spelling that a resolver takes: `127.1`, `0x7f000001` and `::ffff:127.0.0.1` are all 127.0.0.1."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _parse_old_spelling(host)
    return (getattr(address, "ipv4_mapped", None) or address) if address.version == 6 else address


def _parse_old_spelling(host: str) -> Address | None:
    if not re.fullmatch(r"(0[xX][0-9A-Fa-f]*|[0-9]+)(\.(0[xX][0-9A-Fa-f]*|[0-9]+)){0,3}", host):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
