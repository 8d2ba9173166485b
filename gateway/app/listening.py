"""Taking a port, or saying why it cannot be had and what to do."""

import errno
import os
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gateway.config.settings import AdminSettings, ServerSettings


class CannotListen(Exception):
    """A port cannot be had. The message says which, why, and what to do."""


class Addresses(NamedTuple):
    """Where a gateway listens: URLs without a path."""

    public: str
    admin: str


Listen = Callable[[str, int], Awaitable[int]]


async def listen(section: str, take_connections: Listen, settings: AdminSettings | ServerSettings) -> str:
    """The URL listened on. `section` is the settings' name in the configuration. Raises CannotListen."""
    try:
        port = await take_connections(settings.host, settings.port)
    except OSError as error:
        raise explain_listening(section, settings, error) from None
    return spell_url(settings.host, port)


def explain_listening(section: str, settings: AdminSettings | ServerSettings, error: OSError) -> CannotListen:
    """What to raise for `error`."""
    remedies = {
        errno.EADDRINUSE: f"the port is in use: stop what listens there, or set {section}.port to another",
        errno.EACCES: f"not permitted: set {section}.port to one above 1023",
        errno.EADDRNOTAVAIL: f"that is no address of this machine: set {section}.host to one",
    }
    why = remedies.get(error.errno or 0, f"{os.strerror(error.errno or 0)}: set {section}.host and {section}.port")
    return CannotListen(f"cannot listen on {spell_url(settings.host, settings.port).removeprefix('http://')}: {why}")


def spell_url(host: str, port: int) -> str:
    """Where something listens."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
