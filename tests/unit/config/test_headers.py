import pytest

from gateway.config.headers import read_forwarded_name, read_header_name, read_header_value, read_set_name
from gateway.config.problems import Wrong


def test_names_are_read_in_lower_case() -> None:
    assert read_header_name("X-Tenant") == "x-tenant"


@pytest.mark.parametrize("name", ["", "x y", "x:y", "xé", "x\n", "(x)"])
def test_what_is_not_a_name(name: str) -> None:
    with pytest.raises(Wrong, match="must be a header name"):
        read_header_name(name)


def test_patterns_are_not_names() -> None:
    with pytest.raises(Wrong, match="patterns are not supported"):
        read_header_name("x-*")


@pytest.mark.parametrize(
    "name", ["Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Authorization"]
)
def test_hop_by_hop_headers_are_neither_forwarded_nor_set(name: str) -> None:
    with pytest.raises(Wrong, match="cannot be forwarded: it belongs to one connection"):
        read_forwarded_name(name)
    with pytest.raises(Wrong, match="cannot be set: it belongs to one connection"):
        read_set_name(name)


@pytest.mark.parametrize("name", ["content-length", "expect"])
def test_framing_is_neither_forwarded_nor_set(name: str) -> None:
    with pytest.raises(Wrong, match="cannot be forwarded: the gateway frames its messages itself"):
        read_forwarded_name(name)
    with pytest.raises(Wrong, match="cannot be set: the gateway frames its messages itself"):
        read_set_name(name)


@pytest.mark.parametrize("name", ["Host", "Content-Type", "Content-Encoding"])
def test_what_describes_the_batch_is_not_forwarded_but_may_be_set(name: str) -> None:
    with pytest.raises(Wrong, match="it describes the batch"):
        read_forwarded_name(name)
    assert read_set_name(name) == name.lower()


@pytest.mark.parametrize("value", ["", "x", "Bearer a b", "grün", "a\tb"])
def test_values(value: str) -> None:
    assert read_header_value(value) == value


@pytest.mark.parametrize("value", [" x", "x ", "x\r\ny: z", "x\n", "\0", "\x7f", "\x85", "€", "\t"])
def test_what_is_not_a_value_is_refused_and_not_shown(value: str) -> None:
    with pytest.raises(Wrong, match="must be latin-1 text") as refused:
        read_header_value(value)
    assert not refused.value.shows_value
