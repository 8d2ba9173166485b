"""Header fields: what goes out, and what comes back as far as the client."""

import pytest

from gateway.messages import Headers
from gateway.upstreams.fields import FORMS, NAMES, BadField, ClientFields, find_form

Raw = list[tuple[bytes, bytes]]


def write(headers: Headers) -> str:
    """The lines of a request."""
    return find_form(tuple(name for name, _ in headers)).fill(tuple(value for _, value in headers))


def show(raw: Raw, show_cookies: bool = False) -> Headers:
    """What clients see of an answer."""
    return ClientFields(show_cookies).select(raw)


def test_each_field_of_a_request_is_a_line_in_the_order_given() -> None:
    assert write((("accept", "x"), ("X-Tenant", "a: b"), ("accept", ""))) == "\r\naccept: x\r\nX-Tenant: a: b\r\naccept: "


def test_framing_and_hop_by_hop_fields_of_a_request_are_dropped() -> None:
    names = (
        "host content-length transfer-encoding connection keep-alive te trailer upgrade expect proxy-authorization "
        "proxy-connection accept-encoding accept x-tenant authorization Host TE cookie"
    ).split()
    headers = tuple((name, str(number)) for number, name in enumerate(names))
    assert write(headers) == "\r\naccept: 12\r\nx-tenant: 13\r\nauthorization: 14\r\ncookie: 17"


@pytest.mark.parametrize("name", ["", "x y", "x:y", "x\r\ny", "xé", "x\0", "(x)"])
def test_a_name_that_is_no_token_is_not_sent(name: str) -> None:
    with pytest.raises(BadField, match="the name of a header is not one"):
        write((("accept", "x"), (name, "x")))


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\r\nx: y", "a\0b", "\n", "\r"])
@pytest.mark.parametrize("name", ["x", "host"])
def test_a_value_that_would_end_its_line_is_not_sent(name: str, value: str) -> None:
    with pytest.raises(BadField, match="would not stay on its line") as caught:
        write((("accept", "x"), (name, value)))
    assert value not in str(caught.value)


def test_one_form_serves_all_requests_with_the_same_names() -> None:
    form = find_form(("accept", "x-page"))
    assert form is find_form(("accept", "x-page"))
    assert (form.fill(("a", "1")), form.fill(("b", "2"))) == ("\r\naccept: a\r\nx-page: 1", "\r\naccept: b\r\nx-page: 2")


def test_only_so_many_forms_are_kept() -> None:
    first = find_form(("x-first",))
    for number in range(FORMS + 1):
        find_form((f"x-{number}",))
    assert find_form(("x-first",)) is not first


def test_end_to_end_fields_of_an_answer_are_kept_in_order_with_lower_case_names() -> None:
    raw = [(b"Content-Type", b"application/json"), (b"X-Page", b"1"), (b"ETag", b'"a"'), (b"x-page", b"2")]
    assert show(raw) == (("content-type", "application/json"), ("x-page", "1"), ("etag", '"a"'), ("x-page", "2"))


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
    assert show([(name.encode(), b"x"), (b"X-Kept", b"y")]) == (("x-kept", "y"),)


def test_fields_named_by_connection_are_dropped() -> None:
    raw = [(b"Connection", b"close, X-Hop"), (b"X-Hop", b"1"), (b"Connection", b"x-other"), (b"X-Other", b"2"), (b"X", b"3")]
    assert show(raw) == (("x", "3"),)


def test_what_connection_names_is_dropped_from_that_answer_only() -> None:
    fields = ClientFields(show_cookies=False)
    fields.select([(b"Connection", b"x-hop"), (b"X-Hop", b"1")])
    assert fields.select([(b"X-Hop", b"1")]) == (("x-hop", "1"),)


@pytest.mark.parametrize(("show_cookies", "fields"), [(True, (("set-cookie", "a=1"), ("set-cookie", "b=2"))), (False, ())])
def test_cookies_are_shown_only_where_asked_for(show_cookies: bool, fields: Headers) -> None:
    assert show([(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2")], show_cookies) == fields


def test_values_are_latin_1_text_without_blanks_at_their_ends() -> None:
    assert show([(b"X", b"\xff\xe9 \t"), (b"Y", b"")]) == (("x", "ÿé"), ("y", ""))


def test_only_so_many_names_are_kept() -> None:
    fields = ClientFields(show_cookies=False)
    for number in range(3 * NAMES):
        fields.select([(b"x-%d" % number, b"")])
    assert len(fields._shown) <= NAMES
