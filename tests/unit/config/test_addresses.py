import ipaddress

import pytest

from gateway.config.addresses import overlap, reaches, read_host, read_network, read_origin, split_origin
from gateway.config.problems import Wrong


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("http://users:8080", "http://users:8080"),
        ("HTTPS://Users.Example/", "https://users.example"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("http://user_service", "http://user_service"),
        ("http://10.0.0.1", "http://10.0.0.1"),
        ("http+unix://%2Frun%2Fusers.sock", "http+unix://%2Frun%2Fusers.sock"),
        ("http+unix://%2frun%2fUsers%20here.sock/", "http+unix://%2Frun%2FUsers%20here.sock"),
        ("http+unix://" + "%2F" + 102 * "x", "http+unix://" + "%2F" + 102 * "x"),
    ],
)
def test_origins(written: str, origin: str) -> None:
    assert read_origin(written) == origin


@pytest.mark.parametrize(
    ("written", "because", "meant"),
    [
        ("users:8080", "must begin with http:// or https://", "http://users:8080"),
        ("users", "must begin with http:// or https://", "http://users"),
        ("ftp://users", "must begin with http:// or https://", ""),
        ("http:users", "must begin with http:// or https://", ""),
        ("//users", "must begin with http:// or https://", ""),
        ("http://users/v1", "must not have a path", ""),
        ("http://users?", "must not have a query or fragment", ""),
        ("http://users/#x", "must not have a query or fragment", ""),
        ("http://", "has no usable host", ""),
        ("http://-users", "has no usable host", ""),
        ("http://users:0", "must not have port 0", ""),
        ("http://users:65536", "is not a usable address", ""),
        ("http://users:x", "is not a usable address", ""),
        ("http://[::1", "is not a usable address", ""),
        ("http://us ers", "must be plain ASCII", ""),
        ("http://us\ters", "must be plain ASCII", ""),
        ("http://users\\@evil", "must be plain ASCII", ""),
        ("http://übers", "must be plain ASCII", ""),
        ("http+unix:///run/users.sock", "must be http+unix:// and the percent-encoded path of a socket", ""),
        ("http+unix://users.sock", "must be http+unix:// and the percent-encoded path of a socket", ""),
        ("http+unix://%2Frun%2Fusers.sock/v1", "must be http+unix:// and the percent-encoded path of a socket", ""),
        ("http+unix://%2Frun%2Fusers.sock?x", "must be http+unix:// and the percent-encoded path of a socket", ""),
        ("http+unix://%2Frun%00", "must be http+unix:// and the percent-encoded path of a socket", ""),
        ("http+unix:", "must be http+unix:// and the percent-encoded path of a socket", ""),
        ("http+unix://" + "%2F" + 103 * "x", "must have a socket's path of at most 103 bytes", ""),
    ],
)
def test_what_is_not_an_origin(written: str, because: str, meant: str) -> None:
    with pytest.raises(Wrong) as refused:
        read_origin(written)
    assert refused.value.message.startswith(because)
    assert refused.value.suggestion == meant


@pytest.mark.parametrize(
    "written", ["http://me:hush@users", "http://me:hush@users:x", "http://@users", "http+unix://me:hush@%2Frun"]
)
def test_a_password_in_a_url_is_refused_and_not_shown(written: str) -> None:
    with pytest.raises(Wrong) as refused:
        read_origin(written)
    assert "hush" not in refused.value.message
    assert not refused.value.shows_value


@pytest.mark.parametrize(
    ("origin", "parts"),
    [("http://users", ("users", 80)), ("https://users", ("users", 443)), ("http://[::1]:81", ("::1", 81))],
)
def test_the_port_of_an_origin_follows_from_its_scheme(origin: str, parts: tuple[str, int]) -> None:
    assert split_origin(origin) == parts


def test_a_unix_socket_has_neither_host_nor_port() -> None:
    assert split_origin("http+unix://%2Frun%2Fusers.sock") is None


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "::1", "localhost", "gateway.internal"])
def test_hosts(host: str) -> None:
    assert read_host(host) == host


@pytest.mark.parametrize(
    ("written", "because", "meant"),
    [
        ("", "must be a host name or an IP address", ""),
        ("*", "must be a host name or an IP address", ""),
        ("[::1]", "must be an address without brackets", "::1"),
        ("127.0.0.1:8080", "must be a host alone", ""),
        (":8080", "must be a host alone", ""),
        ("http://x", "must be a host name or an IP address", ""),
    ],
)
def test_what_is_not_a_host(written: str, because: str, meant: str) -> None:
    with pytest.raises(Wrong) as refused:
        read_host(written)
    assert refused.value.message.startswith(because)
    assert refused.value.suggestion == meant


def test_networks() -> None:
    assert read_network("10.0.0.0/8") == ipaddress.ip_network("10.0.0.0/8")
    assert read_network("::1") == ipaddress.ip_network("::1/128")


@pytest.mark.parametrize(("written", "meant"), [("10.0.0.1/8", "10.0.0.0/8"), ("10.0.0.0/33", ""), ("ten", "")])
def test_what_is_not_a_network(written: str, meant: str) -> None:
    with pytest.raises(Wrong, match="must be a network") as refused:
        read_network(written)
    assert refused.value.suggestion == meant


@pytest.mark.parametrize(
    ("target", "listener", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost", "127.0.0.1", True),
        ("LOCALHOST.", "127.0.0.1", True),
        ("api.localhost", "::1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("127.1", "127.0.0.1", True),
        ("2130706433", "127.0.0.1", True),
        ("0x7f000001", "127.0.0.1", True),
        ("0177.0.0.1", "127.0.0.1", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("::1", "localhost", True),
        ("::", "::1", True),
        ("127.0.0.9", "0.0.0.0", True),
        ("::1", "::", True),
        ("127.0.0.1", "::", True),
        ("gateway.internal", "Gateway.internal", True),
        ("10.0.0.1", "10.0.0.1", True),
        ("127.0.0.2", "127.0.0.1", False),
        ("::1", "127.0.0.1", False),
        ("users", "0.0.0.0", False),
        ("10.0.0.1", "10.0.0.2", False),
    ],
)
def test_whether_a_connection_comes_back_to_a_listener(target: str, listener: str, expected: bool) -> None:
    assert reaches(target, listener) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("127.0.0.1", "localhost", True),
        ("0.0.0.0", "10.0.0.1", True),
        ("10.0.0.1", "::", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("10.0.0.1", "127.0.0.1", False),
    ],
)
def test_whether_two_listeners_want_the_same_address(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is expected
