"""The public port, kept for all workers."""

import socket
from contextlib import ExitStack
from typing import Self

from gateway.app.listening import explain_listening
from gateway.config.settings import ServerSettings


class KeptPort:
    """A port that this process holds and does not listen on, so that workers may come and go. `number` is never 0."""

    def __init__(self, settings: ServerSettings) -> None:
        """Raises CannotListen."""
        self.number = settings.port
        with ExitStack() as stack:
            try:
                for family, address in _resolve(settings.host):
                    stack.enter_context(self._keep(family, address))
            except OSError as error:
                raise explain_listening("server", settings, error) from None
            self._sockets = stack.pop_all()

    def _keep(self, family: socket.AddressFamily, address: str) -> socket.socket:
        # SO_REUSEPORT would share the port with any process of this user that listens with it too, another gateway above all.
        # Without it the port cannot be had while anybody listens there.
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _bind(trial, address, self.number)
        kept = socket.socket(family)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            _bind(kept, address, self.number)
        except OSError:
            kept.close()
            raise
        self.number = kept.getsockname()[1]  # the first address of a host chooses for the others
        return kept

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sockets.close()


def _resolve(host: str) -> list[tuple[socket.AddressFamily, str]]:
    """Every address of `host` that can be listened on."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _bind(listener: socket.socket, address: str, port: int) -> None:
    if listener.family == socket.AF_INET6:
        # As asyncio does: an IPv6 listener leaves IPv4 to a listener of its own.
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((address, port))
