"""Targets: what was checked is what is sent, and no value leads anywhere else."""

import string
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.batch.jsonpath import PathRules
from gateway.batch.limits import Limits
from gateway.batch.reference import Reference, scan
from gateway.batch.target import (
    BadTarget,
    TargetRules,
    check_literal,
    check_path,
    check_path_value,
    comparable,
    encode_literal,
    encode_value,
)
from gateway.batch.template import Unfillable, fill_target
from gateway.jsontext import dump

STRICT = TargetRules()
LOOSE = TargetRules(encoded_slash=True, semicolon=True)
SAFE = set(string.ascii_letters + string.digits + "-._~%")


def refused(path: str, rules: TargetRules = STRICT) -> bool:
    try:
        check_literal(path, False, rules)
        check_path(path.partition("?")[0])
    except BadTarget:
        return True
    return False


@given(st.text())
def test_an_encoded_value_reads_back_and_holds_nothing_but_unreserved_characters(value: str) -> None:
    encoded = encode_value(value)
    assert unquote(encoded, errors="strict") == value
    assert set(encoded) <= SAFE


@given(st.text(min_size=1))
def test_a_query_value_reads_back(value: str) -> None:
    assert parse_qsl(f"q={encode_value(value)}", strict_parsing=True, keep_blank_values=True) == [("q", value)]


@given(
    st.text(max_size=12)
    | st.sampled_from(["..", ".", "", "../..", "/", "a/b", "a?x", "#", "%2e%2e", "..;", "\\", "//", "\r\n"])
)
def test_a_filled_value_adds_no_segment_and_leaves_nothing(value: str) -> None:
    parts = scan("/users/${item}/orders?of=${item}#".rstrip("#"), PathRules(), 9)
    try:
        target = fill_target(parts, lambda _: dump(value), Limits())
    except Unfillable:
        return
    path, _, query = target.partition("?")
    assert [unquote(segment) for segment in path.split("/")] == ["", "users", value, "orders"]
    assert unquote(query) == f"of={value}"
    assert target.isascii()
    assert target.isprintable()
    assert " " not in target
    assert value not in ("", ".", "..")


@given(
    st.lists(st.text(max_size=5), min_size=1, max_size=4), st.sampled_from(["/users/.{}", "/users/{}.", "/users/a{}b", "/{}{}"])
)
def test_a_value_inside_a_segment_or_a_list_of_them_stays_in_it(values: list[str], shape: str) -> None:
    parts = scan(shape.replace("{}", "${item}"), PathRules(), 9)
    try:
        target = fill_target(parts, lambda _: dump(values), Limits())
    except Unfillable:
        return
    assert target.count("/") == shape.count("/")
    check_path(target)


@pytest.mark.parametrize("value", ["", ".", "..", "a\rb", "\n", "\x00", "\x7f"])
def test_values_that_would_change_the_path_are_refused(value: str) -> None:
    with pytest.raises(BadTarget):
        check_path_value(value)


@pytest.mark.parametrize(
    "path",
    [
        "users",
        "",
        "//evil",
        "@127.0.0.1:1/x",
        ".evil.com/",
        "http://evil/",
        "\\\\evil",
        "/a/../b",
        "/a/..",
        "/./a",
        "/a//b",
        "/..",
        "/a/%2e%2e/b",
        "/a/%2E./b",
        "/a%2fb",
        "/a%2Fb",
        "/a%5cb",
        "/a%00b",
        "/a%0d%0ab",
        "/a%7f",
        "/a%252eb",
        "/..;/a",
        "/a;b",
        "/a\tb",
        "/a\rb",
        "/a\nb",
        "/a b",
        "/a#b",
        "/a%zz",
        "/a%",
        "/a%2",
        "/a?b#c",
        "/a?b c",
        "/a?%zz",
        "/a<b",
        '/a"b',
        "/a{b}",
        "/a|b",
        "/a^b",
    ],
)
def test_paths_that_are_refused(path: str) -> None:
    assert refused(path)


@pytest.mark.parametrize(
    "path",
    ["/", "/a", "/a/", "/a/b.c", "/a/...", "/a/..b", "/a%20b", "/é", "/a@b:c", "/a?x=[1]&y=/../?", "/a?%2e%2e%00", "/a?"],
)
def test_paths_that_are_not(path: str) -> None:
    assert not refused(path)


@pytest.mark.parametrize("path", ["/a%2fb", "/a;b/c", "/a;x=1"])
def test_what_the_configuration_may_allow(path: str) -> None:
    assert not refused(path, LOOSE)


@pytest.mark.parametrize("path", ["/a/..;/b", "/a/.;x/b", "/a/;x/b", "/..;", "/a%2e%2e%2fb", "/a%5cb"])
def test_what_it_cannot(path: str) -> None:
    assert refused(path, LOOSE)


def test_characters_beyond_ascii_are_encoded_and_the_rest_is_left_alone() -> None:
    assert encode_literal("/ä b%20?") == "/%C3%A4 b%20?"


@pytest.mark.parametrize(
    ("spelled", "read"),
    [
        ("/login", "/login"),
        ("/%6cogin", "/login"),
        ("/log%69n", "/login"),
        ("/%7Ea", "/~a"),
        ("/a%2fb", "/a%2Fb"),
        ("/é", "/%C3%A9"),
        ("/%c3%a9", "/%C3%A9"),
        ("/login;x=1/y", "/login/y"),
    ],
)
def test_spellings_of_one_path_compare_equal(spelled: str, read: str) -> None:
    assert comparable(spelled) == read


def test_the_message_says_how_to_write_it() -> None:
    with pytest.raises(BadTarget, match="percent-encode it as %20"):
        check_literal("/a b", False, STRICT)
    with pytest.raises(BadTarget, match=r"paths\.encoded_slash"):
        check_literal("/a%2Fb", False, STRICT)


def test_references_are_what_scan_finds() -> None:
    assert [type(part) for part in scan("/a/${item}?b=${index}", PathRules(), 9)] == [str, Reference, str, Reference]
