import ipaddress
import re

import pytest

from gateway.messages import Context, Headers, Trace
from gateway.server.context import ENTROPY_BYTES, Trust, has_come_through, make_context, make_uuid7, read_fields, read_trace

ENTROPY = bytes(range(1, ENTROPY_BYTES + 1))
NOW = 1_700_000_000.5
PEER = "203.0.113.9"
PROXY = "10.0.0.1"
TRUST = Trust("gateway", (ipaddress.ip_network("10.0.0.0/8"),))
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def make(headers: Headers, peer: str = PEER) -> Context:
    fields = read_fields([(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers])
    return make_context(fields, peer, TRUST, NOW, ENTROPY)


def context(*headers: tuple[str, str], peer: str = PEER) -> "tuple[str, str, dict[str, str]]":
    made = make(headers, peer)
    return made.request_id, made.client, dict(made.identity)


def forwardable(*headers: tuple[str, str]) -> Headers:
    return make(headers).headers


def test_request_id_is_a_uuid7_of_now() -> None:
    request_id, _, identity = context()
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", request_id)
    assert int(request_id.replace("-", "")[:12], 16) == 1_700_000_000_500
    assert identity["x-request-id"] == request_id


def test_request_id_holds_all_the_entropy_but_version_and_variant() -> None:
    assert make_uuid7(NOW, bytes.fromhex("f1b2c3d4e5f607182930")) == "018bcfe5-69f4-71b2-83d4-e5f607182930"


def test_later_request_ids_sort_later() -> None:
    assert make_uuid7(NOW, b"\xff" * 10) < make_uuid7(NOW + 0.001, bytes(10))


@pytest.mark.parametrize(
    ("peer", "sent", "taken"),
    [
        (PROXY, "abc-1.2_3~", True),
        (PROXY, "a" * 128, True),
        (PROXY, "a" * 129, False),
        (PROXY, "${jndi:ldap}", False),
        (PROXY, "a b", False),
        (PROXY, "", False),
        (PROXY, "abc\n", False),
        (PEER, "abc", False),
        ("", "abc", False),
    ],
)
def test_request_id_is_taken_from_trusted_proxies_if_it_is_harmless(peer: str, sent: str, taken: bool) -> None:
    request_id, _, _ = context(("x-request-id", sent), peer=peer)
    assert (request_id == sent) is taken


def test_identity_is_what_the_socket_says() -> None:
    sent = [
        ("host", "api.example:8080"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "admin.example"),
        ("via", "1.1 evil"),
    ]
    request_id, client, identity = context(*sent)
    assert client == PEER
    assert identity == {
        "x-request-id": request_id,
        "x-forwarded-for": PEER,
        "x-forwarded-proto": "http",
        "x-forwarded-host": "api.example:8080",
        "via": "1.1 gateway",
    }


def test_trusted_proxy_is_believed() -> None:
    sent = [
        ("host", "internal"),
        ("x-forwarded-for", "198.51.100.7"),
        ("x-forwarded-for", "10.0.0.2"),
        ("x-forwarded-proto", "HTTPS"),
        ("x-forwarded-host", "api.example"),
        ("via", "1.1 cdn"),
    ]
    request_id, client, identity = context(*sent, peer=PROXY)
    assert client == "198.51.100.7"
    assert identity == {
        "x-request-id": request_id,
        "x-forwarded-for": "198.51.100.7, 10.0.0.2, 10.0.0.1",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "api.example",
        "via": "1.1 cdn, 1.1 gateway",
    }


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("6.6.6.6, 198.51.100.7", "198.51.100.7"),
        ("6.6.6.6, nonsense, 198.51.100.7", "198.51.100.7"),
        ("nonsense", PROXY),
        ("10.1.1.1", "10.1.1.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
    ],
)
def test_client_is_the_last_address_that_is_no_trusted_proxy(chain: str, client: str) -> None:
    assert context(("x-forwarded-for", chain), peer=PROXY)[1] == client


def test_host_that_is_no_host_is_not_passed_on() -> None:
    assert "x-forwarded-host" not in context(("host", "evil\x01/<script>"))[2]


@pytest.mark.parametrize(
    "name",
    "connection keep-alive proxy-authorization te trailer transfer-encoding upgrade host content-length content-type "
    "content-encoding expect x-forwarded-for x-forwarded-prefix forwarded x-real-ip x-original-url x-rewrite-url "
    "x-http-method-override via x-request-id traceparent tracestate baggage x_forwarded_for x_api_key".split(),
)
def test_header_is_never_forwarded(name: str) -> None:
    assert forwardable((name, "value"), ("accept", "*/*")) == (("accept", "*/*"),)


def test_what_connection_names_is_not_forwarded_and_identity_stays() -> None:
    sent = [("connection", "close, X-Request-Id , authorization"), ("authorization", "secret"), ("accept-language", "de")]
    assert forwardable(*sent) == (("accept-language", "de"),)
    assert "x-request-id" in context(*sent)[2]


def test_repeated_headers_become_one() -> None:
    sent = [("accept", "a"), ("cookie", "x=1"), ("accept", "b"), ("cookie", "y=2")]
    assert forwardable(*sent) == (("accept", "a, b"), ("cookie", "x=1; y=2"))


def test_names_are_lower_case_and_bytes_that_are_no_ascii_survive() -> None:
    assert read_fields([(b"X-\xc4", b"\xff"), (b"Accept", b"*/*")]) == {"x-\xe4": "\xff", "accept": "*/*"}


def trace(parent: str, state: str = "") -> Trace:
    return read_trace(parent, state, ENTROPY[10:])


def test_trace_goes_on_with_a_span_of_ours() -> None:
    assert trace(PARENT, "a=1,b=2") == Trace("4bf92f3577b34da6a3ce929d0e0e4736", ENTROPY[26:34].hex(), "01", "a=1,b=2")


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "garbage",
        PARENT.upper(),
        PARENT + "-extra",
        PARENT + "\n",
        PARENT + ", " + PARENT,
        "ff" + PARENT[2:],
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
    ],
)
def test_traceparent_that_breaks_the_rules_starts_a_new_trace(parent: str) -> None:
    assert trace(parent, "a=1") == Trace(ENTROPY[10:26].hex(), ENTROPY[26:34].hex())


def test_traceparent_of_a_later_version_may_say_more() -> None:
    assert trace("01" + PARENT[2:] + "-more").trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"


def test_no_id_is_all_zeros() -> None:
    assert read_trace("", "", bytes(24)) == Trace("0" * 31 + "1", "0" * 15 + "1")


@pytest.mark.parametrize(("members", "kept"), [(31, 31), (32, 32), (33, 32), (40, 32)])
def test_tracestate_has_at_most_32_members(members: int, kept: int) -> None:
    state = trace(PARENT, ",".join(f"k{n}=v" for n in range(members))).state
    assert state.split(",") == [f"k{n}=v" for n in range(kept)]


@pytest.mark.parametrize(("length", "kept"), [(511, 511), (512, 512), (513, 5)])
def test_tracestate_has_at_most_512_characters(length: int, kept: int) -> None:
    assert len(trace(PARENT, "a=123,b=" + "x" * (length - 8)).state) == kept


def test_tracestate_with_control_characters_is_dropped() -> None:
    assert trace(PARENT, "a=1,\x1bb=2").state == ""


@pytest.mark.parametrize(
    ("via", "is_loop"),
    [
        ("1.1 gateway", True),
        ("1.1 other, 1.0 Gateway (comment)", True),
        ("1.1 other,HTTP/1.1 gateway", True),
        ("1.1 gateway-2", False),
        ("gateway", False),
        ("", False),
    ],
)
def test_loop_is_seen_by_our_name_in_via(via: str, is_loop: bool) -> None:
    assert has_come_through(via, "gateway") is is_loop
