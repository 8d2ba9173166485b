"""Headers: who may set which, and that no value carries anything but itself."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.batch.headers import BadHeader, check_name, check_value, is_reserved, merge
from gateway.batch.jsonpath import PathRules
from gateway.batch.limits import Limits
from gateway.batch.reference import scan
from gateway.batch.routes import HeaderPolicy
from gateway.batch.template import Unfillable, fill_header
from gateway.jsontext import dump
from gateway.messages import Reason


@given(
    st.text() | st.lists(st.text(max_size=3), max_size=3),
    st.sampled_from(["${item}", "a ${item} b", "Bearer ${item}", "${item}x"]),
)
def test_a_filled_value_carries_no_control_and_fits_latin_1(value: object, template: str) -> None:
    with contextlib.suppress(Unfillable):
        filled = fill_header(scan(template, PathRules(), 9), lambda _: dump(value), Limits())
        assert not {chr(code) for code in (*range(9), *range(10, 32), 127)} & set(filled)
        assert filled == filled.strip(" \t")
        filled.encode("latin-1")


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\0b", "a\x7f", "a\x01", " a", "a ", "\ta", "a\t", "€", "😀"])
def test_values_that_are_refused(value: str) -> None:
    with pytest.raises(BadHeader) as caught:
        check_value(value, 100)
    assert caught.value.reason is Reason.INVALID_HEADER


@pytest.mark.parametrize("value", ["", "a", "a b\tc", "é", "x" * 100])
def test_values_that_are_not(value: str) -> None:
    check_value(value, 100)


@pytest.mark.parametrize("name", ["X Y", "X:Y", "", "Xé", "X\r\nY", "a\n", "(a)", 'a"', "a/b"])
def test_names_that_are_no_token(name: str) -> None:
    with pytest.raises(BadHeader) as caught:
        check_name(name)
    assert caught.value.reason is Reason.INVALID_HEADER


@pytest.mark.parametrize(
    "name",
    ["Host", "Content-Length", "Transfer-Encoding", "Connection", "TE", "Trailer", "Upgrade", "Expect", "Keep-Alive",
     "Proxy-Authorization", "proxy-connection", "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Anything", "Forwarded", "Via",
     "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "x_forwarded_for", "X_REAL-IP", "Content_Length"],
)  # fmt: skip
def test_names_that_are_the_gateways_own(name: str) -> None:
    with pytest.raises(BadHeader) as caught:
        check_name(name)
    assert caught.value.reason is Reason.HEADER_NOT_ALLOWED
    assert is_reserved(name.lower())


def test_later_wins_and_null_removes_what_came_before_but_never_what_is_set() -> None:
    policy = HeaderPolicy(forward=frozenset({"authorization", "accept"}), deny=frozenset({"x-debug"}), set=(("x-key", "ours"),))
    outer = (("authorization", "outer"), ("accept", "outer"), ("x-other", "outer"))
    changes = (
        ("accept", "envelope"),
        ("x-tenant", "1"),
        ("x-debug", "1"),
        ("x-key", None),
        ("x-tenant", "2"),
        ("accept", None),
    )
    assert merge(outer, changes, policy, (("x-request-id", "r"),)) == {
        "authorization": "outer",
        "x-tenant": "2",
        "x-key": "ours",
        "x-request-id": "r",
    }


def test_another_spelling_of_what_is_ours_or_denied_goes_nowhere() -> None:
    policy = HeaderPolicy(deny=frozenset({"x-debug"}), set=(("x-key", "ours"), ("a_b", "ours")))
    changes = (("x_request_id", "evil"), ("x_debug", "evil"), ("x_key", "evil"), ("a_b", "evil"), ("other_name", "fine"))
    assert merge((), changes, policy, (("x-request-id", "r"),)) == {
        "other_name": "fine",
        "x-key": "ours",
        "a_b": "ours",
        "x-request-id": "r",
    }


def test_a_cookie_goes_only_where_cookies_are_forwarded() -> None:
    cookie = (("cookie", "session=1"),)
    assert merge((), cookie, HeaderPolicy(), ()) == {}
    assert merge((), cookie, HeaderPolicy(forward=frozenset({"cookie"})), ()) == {"cookie": "session=1"}
    assert merge(cookie, (), HeaderPolicy(forward=frozenset({"cookie"})), ()) == {"cookie": "session=1"}
    assert merge((), cookie, HeaderPolicy(set=(("cookie", "ours"),)), ()) == {"cookie": "ours"}
