"""Header fields: what goes out, and what comes back as far as the client."""

import pytest

from gateway.upstreams.fields import select_for_client, select_for_upstream


def test_framing_and_hop_by_hop_fields_of_a_request_are_dropped() -> None:
    headers = tuple(
        (name, "x")
        for name in (
            "host content-length transfer-encoding connection keep-alive te trailer upgrade expect proxy-authorization "
            "proxy-connection accept-encoding accept x-tenant authorization cookie"
        ).split()
    )
    assert select_for_upstream(headers) == [("accept", "x"), ("x-tenant", "x"), ("authorization", "x"), ("cookie", "x")]


def test_end_to_end_fields_of_an_answer_are_kept_in_order_with_lower_case_names() -> None:
    raw = [(b"Content-Type", b"application/json"), (b"X-Page", b"1"), (b"ETag", b'"a"'), (b"x-page", b"2")]
    assert select_for_client(raw, show_cookies=False) == (
        ("content-type", "application/json"),
        ("x-page", "1"),
        ("etag", '"a"'),
        ("x-page", "2"),
    )


@pytest.mark.parametrize(
    "name",
    [
        "Connection",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Upgrade",
        "Content-Length",
        "Content-Encoding",
        "Strict-Transport-Security",
        "Alt-Svc",
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
    ],
)
def test_fields_that_are_not_for_clients_are_dropped(name: str) -> None:
    assert select_for_client([(name.encode(), b"x"), (b"X-Kept", b"y")], show_cookies=False) == (("x-kept", "y"),)


def test_fields_named_by_connection_are_dropped() -> None:
    raw = [(b"Connection", b"close, X-Hop"), (b"X-Hop", b"1"), (b"Connection", b"x-other"), (b"X-Other", b"2"), (b"X", b"3")]
    assert select_for_client(raw, show_cookies=False) == (("x", "3"),)


@pytest.mark.parametrize(("show", "fields"), [(True, (("set-cookie", "a=1"), ("set-cookie", "b=2"))), (False, ())])
def test_cookies_are_shown_only_where_asked_for(show: bool, fields: tuple[tuple[str, str], ...]) -> None:
    assert select_for_client([(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2")], show) == fields


def test_values_are_latin_1_text() -> None:
    assert select_for_client([(b"X", b"\xff\xe9 \t")], show_cookies=False) == (("x", "ÿé"),)


@pytest.mark.parametrize("name", [b"", b"X Y", b"X\xe9", b"X\0", b"(x)"])
def test_names_that_are_no_tokens_are_dropped(name: bytes) -> None:
    assert select_for_client([(name, b"x"), (b"X-Kept", b"y")], show_cookies=False) == (("x-kept", "y"),)


def test_a_folded_line_is_one_line() -> None:
    assert select_for_client([(b"X", b"a\r\n  b\n\tc")], show_cookies=False) == (("x", "a b c"),)


@pytest.mark.parametrize("value", [b"a\0b", b"a\rb", b"a\nb", b"a\x01b", b"a\x7fb", b"a\r\nb"])
def test_a_control_character_spoils_the_answer(value: bytes) -> None:
    assert select_for_client([(b"X", value)], show_cookies=False) is None
