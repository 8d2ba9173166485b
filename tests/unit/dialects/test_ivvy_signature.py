"""Signatures of the ivvy dialect, by the vendor's own vectors, and by what its clients send."""

import hashlib
from typing import Any

import pytest

from gateway.dialects.dialect import Asked
from gateway.dialects.ivvy_refusals import IvvyRefusal
from gateway.dialects.ivvy_signature import read_key, sign, string_to_sign, verify

BODY = b'{"example":"body"}'
MD5 = "a09f600c77a6dbd947db24c61e8935ca"
NOW = 1333491804.0
"""2012-04-03 22:23:24 UTC."""

DOCUMENTED = {
    "content-md5": MD5,
    "content-type": "application/json",
    "x-api-version": "1.0",
    "date": "Tue, 03 Apr 2012 22:23:24 UTC",
    "ivvy-date": "2012-04-03 22:23:24",
}
DOTNET = {
    "content-md5": MD5,
    "content-type": "application/json; charset=utf-8",
    "ivvy-date": "2012-04-03 22:23:24 UTC",
}
DATE = {name: value for name, value in DOCUMENTED.items() if name != "ivvy-date"}
SECRET = "foo"
STYLES = {"documented": DOCUMENTED, "dotnet": DOTNET, "date": DATE}

TEXTS = {
    "documented": f"post{MD5}application/json/api/1.0/test?action=ping1.0ivvydate=2012-04-03 22:23:24",
    "dotnet": f"post{MD5}application/json; charset=utf-8/api/1.0/test?action=ping1.0ivvydate=2012-04-03 22:23:24 utc",
    "date": f"post{MD5}application/jsontue, 03 apr 2012 22:23:24 utc/api/1.0/test?action=ping1.0",
}


def ask(headers: dict[str, str], text: str, **changes: Any) -> Asked:
    signature = sign(SECRET, text.encode())
    signed = headers | {"x-api-authorization": f"IWS shop:{signature}"}
    return Asked(BODY, "action=ping", signed, path="/api/1.0/test")._replace(**changes)


def refused(asked: Asked, now: float = NOW, key: str = SECRET) -> tuple[int, int]:
    with pytest.raises(IvvyRefusal) as caught:
        verify(asked, key, now)
    return caught.value.status, caught.value.code


def test_the_vendors_vectors() -> None:
    assert sign("my secret key", b"string to sign") == "a993876ea1218921a1c8551923473da7b310dfae"
    assert hashlib.md5(BODY, usedforsecurity=False).hexdigest() == MD5
    assert string_to_sign(ask(DOCUMENTED, ""), "1.0").decode() == TEXTS["documented"]


@pytest.mark.parametrize("style", STYLES)
def test_must_pass_9_each_style_passes(style: str) -> None:
    asked = ask(STYLES[style], TEXTS[style])
    assert read_key(asked.headers) == "shop"
    verify(asked, SECRET, NOW)


def test_must_pass_9_a_version_that_is_neither_sent_nor_signed_passes() -> None:
    text = TEXTS["dotnet"].replace("ping1.0", "ping")
    verify(ask(DOTNET, text), SECRET, NOW)


@pytest.mark.parametrize("style", STYLES)
def test_must_pass_9_the_wrong_secret_signature_or_md5_is_401(style: str) -> None:
    headers, text = STYLES[style], TEXTS[style]
    assert refused(ask(headers, text), key="bar") == (401, 401)
    assert refused(ask(headers, text + "x")) == (401, 401)
    assert refused(ask(headers, text, body=b'{"example":"bodY"}')) == (401, 401)
    assert refused(ask(headers, text, query="action=run")) == (401, 401)
    assert refused(ask(headers, text, path="/api/1.0/other")) == (401, 401)
    other = "0" * 32
    assert refused(ask(headers | {"content-md5": other}, text.replace(MD5, other))) == (401, 401)


def test_must_pass_9_a_version_that_is_sent_is_the_one_that_is_signed() -> None:
    assert refused(ask(DOCUMENTED | {"x-api-version": "2.0"}, TEXTS["documented"])) == (401, 401)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("age", "is_stale"), [(300, False), (301, True), (-300, False), (-301, True), (1e9, True)])
def test_must_pass_9_stale_is_401_and_23005(style: str, age: float, is_stale: bool) -> None:
    asked = ask(STYLES[style], TEXTS[style])
    if is_stale:
        assert refused(asked, NOW + age) == (401, 23005)
    else:
        verify(asked, SECRET, NOW + age)


@pytest.mark.parametrize(
    "value", ["", "IWS", "IWS shop", f"Bearer shop:{'0' * 40}", f"IWS shop:{'0' * 39}", f"IWS a b:{'0' * 40}", "IWS :x"]
)
def test_what_is_not_signed_at_all_is_401(value: str) -> None:
    asked = ask(DOCUMENTED, TEXTS["documented"])
    headers = {**asked.headers, "x-api-authorization": value}
    assert refused(asked._replace(headers=headers)) == (401, 401)
    with pytest.raises(IvvyRefusal):
        read_key(headers)


@pytest.mark.parametrize("date", ["", "now", "2012-13-03 22:23:24", "2012-04-03", "9" * 400])
def test_a_date_that_is_none_is_401(date: str) -> None:
    headers = DOCUMENTED | {"ivvy-date": date}
    assert refused(ask(headers, TEXTS["documented"].replace("2012-04-03 22:23:24", date))) == (401, 401)


def test_every_header_that_begins_with_ivvy_is_signed_in_order_without_dashes() -> None:
    headers = DOCUMENTED | {"ivvy_b-c": "Two", "ivvy-a": "é"}
    asked = ask(headers, "")
    assert string_to_sign(asked, "1.0").endswith("1.0ivvya=é&ivvybc=two&ivvydate=2012-04-03 22:23:24".encode("latin-1"))


def test_the_scheme_and_the_digits_may_be_of_either_case() -> None:
    signature = sign(SECRET, TEXTS["documented"].encode()).upper()
    headers = DOCUMENTED | {"x-api-authorization": f"iws shop:{signature}", "content-md5": MD5}
    verify(Asked(BODY, "action=ping", headers, path="/api/1.0/test"), SECRET, NOW)
