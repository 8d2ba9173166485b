import ipaddress
import socket
from collections.abc import Sequence

import pytest

from gateway.callbacks.guard import Guard, allows, check_url
from gateway.config.jobs import CallbackSettings
from gateway.errors import Refusal
from gateway.messages import Reason

STRICT = CallbackSettings()
INTRANET = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8"))

PUBLIC = ["1.1.1.1", "93.184.215.14", "100.63.255.255", "100.128.0.0", "2606:4700::1111", "::ffff:8.8.8.8"]

NOT_PUBLIC = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "4000::1",
    "fc00::1",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
]

NOT_ADDRESSES = ["", "localhost", "127.1", "2130706433", "0x7f000001", "1.1.1.1 "]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert allows(address, ())


@pytest.mark.parametrize("address", [*NOT_PUBLIC, *NOT_ADDRESSES])
def test_no_other_addresses_are(address: str) -> None:
    assert not allows(address, ())


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "fd12::1"])
def test_networks_of_the_configuration_are_allowed_too(address: str) -> None:
    assert allows(address, INTRANET)


@pytest.mark.parametrize("address", ["10.2.0.1", "127.0.0.1", "fe80::1", "64:ff9b::10.1.2.3"])
def test_they_open_nothing_beside_them(address: str) -> None:
    assert not allows(address, INTRANET)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/batch?done=1",
        "https://hooks.example.com",
        "HTTPS://HOOKS.EXAMPLE.COM./",
        "https://hooks.example.com:8443/",
        "https://xn--hks-0qa.example/",
        "https://1.1.1.1/",
        "https://[2606:4700::1111]/",
        "https://[2606:4700::1111]:8443/?at=12:30",
        "https://hooks.example.com:/",
        "https://example.com/mail@example.com",
        "https://10.example.com/",
        "https://127.0.0.1.example.com/",
    ],
)
def test_a_url_to_the_public_passes(url: str) -> None:
    assert check_url(url, STRICT) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://hooks.example.com/", "it must begin with https://"),
        ("ftp://hooks.example.com/", "it must begin with https://"),
        ("https:hooks.example.com", "it must begin with https://"),
        ("//hooks.example.com/", "it must begin with https://"),
        ("hooks.example.com", "it must begin with https://"),
        ("", "it must begin with https://"),
        ("https://user:secret@hooks.example.com/", "it must not contain a user name or password"),
        ("https://@hooks.example.com/", "it must not contain a user name or password"),
        ("https://1.1.1.1@10.0.0.1/", "it must not contain a user name or password"),
        ("https://hooks.example.com:22/", "its port must be one of 443, 8443"),
        ("https://hooks.example.com:0/", "its port must be one of 443, 8443"),
        ("https://hooks.example.com:99999/", "it is not a URL"),
        ("https://hooks.example.com:+443/", "its port must be a number"),
        ("https://hooks.example.com:4_4_3/", "its port must be a number"),
        ("https://[2606:4700::1111]:+443?:1", "its port must be a number"),
        ("https://[::1/", "it is not a URL"),
        ("https:///batch", "it has no usable host"),
        ("https://a%2eb/", "it has no usable host"),
        ("https://-a/", "it has no usable host"),
        ("https://hooks.example.com/ö", "it must be plain ASCII"),
        ("https://①②⑦.①/", "it must be plain ASCII"),
        ("https://hooks.example.com/a b", "it must be plain ASCII"),
        ("https://hooks.example.com\\@10.0.0.1/", "it must be plain ASCII"),
        ("https://hooks.example.com/\r\nx: y", "it must be plain ASCII"),
        ("https://hooks.example.com/" + "x" * 2048, "it is longer than 2048 characters"),
        ("https://127.0.0.1/", "callbacks must not go to 127.0.0.1"),
        ("https://169.254.169.254/", "callbacks must not go to 169.254.169.254"),
        ("https://[::1]/", "callbacks must not go to ::1"),
        ("https://[::ffff:127.0.0.1]/", "callbacks must not go to ::ffff:7f00:1"),
        ("https://[64:ff9b::a00:1]/", "callbacks must not go to 64:ff9b::a00:1"),
        ("https://[2002:7f00:1::]/", "callbacks must not go to 2002:7f00:1::"),
        ("https://[fe80::1%25eth0]/", "an address in it must not have a zone"),
        ("https://[2606:4700::1%eth0]/", "an address in it must not have a zone"),
        ("https://127.1/", "an IPv4 address in it must be four decimal numbers"),
        ("https://2130706433/", "an IPv4 address in it must be four decimal numbers"),
        ("https://0x7f000001/", "an IPv4 address in it must be four decimal numbers"),
        ("https://0X7F.1/", "an IPv4 address in it must be four decimal numbers"),
        ("https://0177.0.0.1/", "an IPv4 address in it must be four decimal numbers"),
        ("https://127.0.0.1./", "an IPv4 address in it must be four decimal numbers"),
    ],
)
def test_any_other_url_is_told_what_is_wrong(url: str, problem: str) -> None:
    assert (check_url(url, STRICT) or "").startswith(problem)


def test_the_configuration_may_allow_http_and_other_ports() -> None:
    settings = CallbackSettings(https_only=False, ports=(80, 9000))
    assert check_url("http://hooks.example.com/", settings) is None
    assert check_url("https://hooks.example.com:9000/", settings) is None
    assert check_url("https://hooks.example.com/", settings) == "its port must be one of 80, 9000"


def resolving_to(*addresses: str) -> Guard:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return Guard(STRICT, resolve)


def failing_with(error: OSError) -> Guard:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise error

    return Guard(STRICT, resolve)


async def test_a_name_that_leads_to_the_public_is_taken() -> None:
    await resolving_to("64:ff9b::101:101", "1.1.1.1").check_callback("https://hooks.example.com/")


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("::1", "10.0.0.1"), ()])
async def test_a_name_that_leads_nowhere_else_is_refused(addresses: tuple[str, ...]) -> None:
    with pytest.raises(Refusal, match="its host has no address that callbacks may go to") as refused:
        await resolving_to(*addresses).check_callback("https://hooks.example.com/")
    assert (refused.value.reason, refused.value.status) == (Reason.CALLBACK_NOT_ALLOWED, 422)


async def test_a_url_that_is_wrong_is_refused_before_its_name_is_looked_up() -> None:
    with pytest.raises(Refusal, match="it must begin with https://"):
        await failing_with(OSError("asked all the same")).check_callback("http://hooks.example.com/")


async def test_a_name_that_does_not_exist_is_refused() -> None:
    with pytest.raises(Refusal, match="its host does not exist"):
        await failing_with(socket.gaierror(socket.EAI_NONAME, "none")).check_callback("https://hooks.example.com/")


@pytest.mark.parametrize("error", [socket.gaierror(socket.EAI_AGAIN, "later"), OSError("broken"), TimeoutError()])
async def test_a_name_nobody_can_look_up_now_is_left_to_the_delivery(error: OSError) -> None:
    await failing_with(error).check_callback("https://hooks.example.com/")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
async def test_the_system_resolves_names(name: str) -> None:
    with pytest.raises(Refusal):
        await Guard(STRICT).check_callback(f"https://{name}/")


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_socket_is_opened_to_what_is_not_public(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with pytest.raises(PermissionError, match="callbacks must not go to"):
        Guard(STRICT).open_socket((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 443)))


def test_a_socket_is_opened_to_what_is() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("1.1.1.1", 443))
    with Guard(STRICT).open_socket(info) as opened:
        assert opened.family == socket.AF_INET
