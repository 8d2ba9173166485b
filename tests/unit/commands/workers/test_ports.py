import socket

import pytest

from gateway.app.listening import CannotListen
from gateway.commands.workers.ports import KeptPort
from gateway.config.settings import ServerSettings


def listen_together(port: int, host: str = "127.0.0.1") -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.listen()
    return listener


def test_port_0_becomes_a_port_that_several_can_listen_on() -> None:
    with (
        KeptPort(ServerSettings(port=0)) as kept,
        listen_together(kept.number) as one,
        listen_together(kept.number) as other,
    ):
        assert one.getsockname() == other.getsockname() == ("127.0.0.1", kept.number)


def test_nothing_connects_to_the_kept_port_itself() -> None:
    with KeptPort(ServerSettings(port=0)) as kept, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", kept.number))


def test_everybody_who_listens_is_in_the_way_even_if_they_would_share() -> None:
    with (
        KeptPort(ServerSettings(port=0)) as kept,
        listen_together(kept.number),
        pytest.raises(CannotListen, match=f"cannot listen on 127.0.0.1:{kept.number}: the port is in use"),
    ):
        KeptPort(ServerSettings(port=kept.number))


def test_all_addresses_of_a_host_have_the_same_port() -> None:
    with KeptPort(ServerSettings(host="localhost", port=0)) as kept, listen_together(kept.number, "127.0.0.1"):
        assert kept.number > 0


def test_what_is_no_address_of_this_machine_is_said() -> None:
    with pytest.raises(CannotListen, match=r"cannot listen on 192\.0\.2\.1:0: that is no address of this machine"):
        KeptPort(ServerSettings(host="192.0.2.1", port=0))


def test_a_failure_half_way_keeps_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen):
            KeptPort(ServerSettings(port=port))
    with KeptPort(ServerSettings(port=port)) as kept:
        assert kept.number == port
