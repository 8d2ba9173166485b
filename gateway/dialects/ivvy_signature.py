"""Signed requests of the ivvy dialect: `X-Api-Authorization: IWS KEY:SIGNATURE`.

The signature is the HMAC-SHA1, in hex, of the lower-cased method, Content-MD5, Content-Type, Date, path with query,
X-Api-Version and `ivvy…` headers, one after the other. MD5 and SHA-1 are the vendor's choice. Header values count as they
were received. Three styles are in use:

    documented   IVVY-Date: 2012-04-03 22:23:24 and X-Api-Version: 1.0; Date is not signed then
    .NET         IVVY-Date: 2012-04-03 22:23:24 UTC, and no X-Api-Version, although 1.0 is signed
    Date         Date: Tue, 03 Apr 2012 22:23:24 UTC, and no IVVY-Date
"""

import hashlib
import hmac
import re
from calendar import timegm
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_tz

from gateway.dialects.dialect import Asked
from gateway.dialects.ivvy_refusals import STALE, IvvyRefusal
from gateway.messages import Reason

LONGEST_AGE = 300.0
"""Seconds for which a signature counts, and by which a client's clock may be fast."""

_AUTHORIZATION = re.compile(r"\s*iws\s+([^\s:]+):([0-9a-f]{40})\s*", re.IGNORECASE)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2}):([0-9]{2})(?: ?(?:UTC|GMT|Z))?")
_UNSENT_VERSIONS = ("1.0", "")


def read_key(headers: Mapping[str, str]) -> str:
    """The key that a request is signed with, by what it says. An IvvyRefusal, 401, if it is not signed."""
    return _read_authorization(headers)[0]


def _read_authorization(headers: Mapping[str, str]) -> tuple[str, str]:
    found = _AUTHORIZATION.fullmatch(headers.get("x-api-authorization", ""))
    if found is None:
        raise refuse("the request must be signed: X-Api-Authorization: IWS key:signature")
    return found[1], found[2].lower()


def refuse(detail: str, code: int = 401) -> IvvyRefusal:
    """A request that is not shown to be a client's."""
    return IvvyRefusal(401, code, Reason.UNAUTHORIZED, detail)


def verify(asked: Asked, secret: str, now: float) -> None:
    """An IvvyRefusal, 401, unless a request is signed with a secret, has the body that was signed, and is not stale.

    `now` is in seconds since 1970.
    """
    headers = asked.headers
    _, signature = _read_authorization(headers)
    sent = headers.get("x-api-version")
    versions = _UNSENT_VERSIONS if sent is None else (sent,)
    good = [sign(secret, string_to_sign(asked, version)) for version in versions]
    if not any(hmac.compare_digest(signature.encode(), one.encode()) for one in good):
        raise refuse("the key or the signature is wrong")
    digest = hashlib.md5(asked.body, usedforsecurity=False).hexdigest()
    if headers.get("content-md5", "").strip().lower() != digest:
        raise refuse("Content-MD5 is not the MD5 of the body, in hex")
    signed_at = _read_date(headers)
    if signed_at is None:
        raise refuse("the request needs IVVY-Date: YYYY-MM-DD HH:MM:SS, in UTC, or a Date")
    if abs(now - signed_at) > LONGEST_AGE:
        raise refuse("Request is stale", STALE)


def string_to_sign(asked: Asked, version: str) -> bytes:
    """What the signature of a request is made of."""
    headers = asked.headers
    own = sorted([f"{_plain(name)}={value}" for name, value in headers.items() if name.startswith("ivvy")])
    date = "" if "ivvy-date" in headers else headers.get("date", "")
    target = f"{asked.path}?{asked.query}" if asked.query else asked.path
    signed = (
        asked.method,
        headers.get("content-md5", ""),
        headers.get("content-type", ""),
        date,
        target,
        version,
        "&".join(own),
    )
    # Headers are read as Latin-1: this gives back the bytes received, of which only letters of ASCII have a lower case.
    return "".join(signed).encode("latin-1", "replace").lower()


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "")


def sign(secret: str, text: bytes) -> str:
    """The signature of a text, in hex."""
    return hmac.new(secret.encode(), text, hashlib.sha1).hexdigest()


def _read_date(headers: Mapping[str, str]) -> float | None:
    """When a request says it was signed, in seconds since 1970."""
    text = headers.get("ivvy-date", headers.get("date", "")).strip()
    found = _DATE.fullmatch(text)
    try:
        if found is not None:
            year, month, day, hour, minute, second = [int(group) for group in found.groups()]
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
        parsed = parsedate_tz(text)
        return None if parsed is None else float(timegm((*parsed[:6], 0, 1, 0)) - (parsed[9] or 0))
    except (ValueError, OverflowError):
        return None
