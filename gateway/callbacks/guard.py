"""Where callbacks may go: public addresses, and the networks that the configuration adds.

A URL is looked at when a job is taken, so that its client hears of a mistake. What protects the gateway's neighbours is the
look at every address in the moment of connecting to it: a name may lead elsewhere by then (DNS rebinding).
"""

import asyncio
import errno
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import AddrInfoType
from yarl import URL

from gateway.config.addresses import HOST_NAME, Address, Network
from gateway.config.jobs import CallbackSettings
from gateway.errors import Refusal
from gateway.messages import Reason

LONGEST_URL = 2048
"""Characters."""

RESOLVING = 5.0
"""Seconds to wait for a name when a job is taken."""

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")

_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # relays of 6to4
        "2001::/23",  # protocol assignments, Teredo among them
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",  # documentation
    )
)
"""What `ipaddress` takes for global, in one version of Python or another, and is not, or hides another address."""

_LOOKS_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?")
"""A host that is an IPv4 address to whoever is old enough: `127.1`, `2130706433`, `0177.0.0.1`, `0x7f000001`."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name, for a port. Raises OSError."""


def check_url(url: str, settings: CallbackSettings) -> str | None:
    """What is wrong with a callback URL as far as its text shows, or None."""
    if len(url) > LONGEST_URL:
        return f"it is longer than {LONGEST_URL} characters"
    if re.search(r"[^\x21-\x7e]|\\", url):
        return "it must be plain ASCII without blanks or backslashes (write other names in their xn-- form)"
    schemes = ("https",) if settings.https_only else ("https", "http")
    try:
        parsed = URL(url)
        port = parsed.port
    except ValueError:
        return "it is not a URL"
    if parsed.scheme not in schemes or not url[len(parsed.scheme) :].startswith("://"):
        return f"it must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    authority = re.split(r"[/?#]", url)[2]
    if "@" in authority:
        return "it must not contain a user name or password"
    if not re.fullmatch(r"[0-9]*", authority.rpartition("]")[2].partition(":")[2]):  # int() reads `+80` and `8_0` too
        return "its port must be a number"
    if port not in settings.ports:
        return f"its port must be one of {', '.join(map(str, settings.ports))}"
    return _check_host(parsed.raw_host or "", settings.allow)


def _check_host(host: str, allow: Sequence[Network]) -> str | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if _LOOKS_NUMERIC.fullmatch(host):
            return "an IPv4 address in it must be four decimal numbers, such as 192.0.2.1"
        return None if HOST_NAME.fullmatch(host) else "it has no usable host"
    if "%" in host:
        return "an address in it must not have a zone"
    return None if _is_allowed(address, allow) else f"callbacks must not go to {address}"


def allows(address: str, allow: Sequence[Network]) -> bool:
    """Whether callbacks may go to an IP address: it is public (IANA's special-purpose registries), or in one of `allow`."""
    try:
        return _is_allowed(ipaddress.ip_address(address), allow)
    except ValueError:
        return False


def _is_allowed(address: Address, allow: Sequence[Network]) -> bool:
    if address.version == 6 and address.ipv4_mapped:
        address = address.ipv4_mapped
    if any(address in network for network in allow):
        return True
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


class Guard:
    """Keeps callbacks to where they may go."""

    def __init__(self, settings: CallbackSettings, resolve: Resolve | None = None) -> None:
        self._settings = settings
        self._resolve = resolve or look_up

    def check_url(self, url: str) -> str | None:
        """As the function."""
        return check_url(url, self._settings)

    async def check_callback(self, url: str) -> None:
        """Raise a Refusal if callbacks cannot go to this URL: by its text, or because its name leads only to forbidden places.

        A name that nobody can resolve right now passes: it is for the time of delivery.
        """
        problem = self.check_url(url) or await self._check_name(URL(url))
        if problem is not None:
            raise Refusal(Reason.CALLBACK_NOT_ALLOWED, f"the callback URL is not allowed: {problem}")

    async def _check_name(self, url: URL) -> str | None:
        try:
            async with asyncio.timeout(RESOLVING):
                addresses = await self._resolve(url.raw_host or "", url.port or 0)
        except socket.gaierror as error:
            return "its host does not exist" if error.errno == socket.EAI_NONAME else None
        except (OSError, TimeoutError):
            return None
        if any(allows(address, self._settings.allow) for address in addresses):
            return None
        return "its host has no address that callbacks may go to"

    def open_socket(self, target: AddrInfoType) -> socket.socket:
        """A socket for connecting to `target`. PermissionError if callbacks must not go there."""
        family, kind, protocol, _, address = target
        if not allows(str(address[0]), self._settings.allow):
            raise PermissionError(errno.EACCES, f"callbacks must not go to {address[0]}")
        return socket.socket(family, kind, protocol)


async def look_up(host: str, port: int) -> Sequence[str]:
    """The system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
