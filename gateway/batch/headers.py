"""Header fields of sub-requests: which a client may give, and in which order they override each other.

Later wins: forwarded from the outer request < envelope < operation < the upstream's `deny`, then `set`, then identity.
Names are compared without regard to case (RFC 9110 section 5.1) and kept in lower case.
"""

import re
from collections.abc import Iterable

from gateway.batch.routes import HeaderPolicy
from gateway.messages import Headers, Reason

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

FRAMING = frozenset("host content-length transfer-encoding connection te trailer upgrade expect keep-alive".split())
"""Ours alone: a client that set them could smuggle a second request into a pooled connection (RFC 9112 section 11.2)."""

IDENTITY = frozenset("x-real-ip forwarded x-rewrite-url via".split())
IDENTITY_PREFIXES = ("x-forwarded-", "x-original-", "x-http-method", "proxy-")
"""Who the client is, and which URL or method was meant, is for the gateway to say."""


class BadHeader(ValueError):
    """A header cannot be sent. `reason` is invalid-header or header-not-allowed."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def is_reserved(name: str) -> bool:
    """Whether a lower-case header name, or one that servers take for it because they read `_` as `-`, is the gateway's own."""
    name = name.replace("_", "-")
    return name in FRAMING or name in IDENTITY or name.startswith(IDENTITY_PREFIXES)


def check_name(name: str) -> None:
    """BadHeader unless `name` is a token (RFC 9110 section 5.6.2) that a client may set or remove."""
    if not _TOKEN.fullmatch(name):
        raise BadHeader(Reason.INVALID_HEADER, f"{shorten(name)} is not a header name")
    if is_reserved(name.lower()):
        raise BadHeader(Reason.HEADER_NOT_ALLOWED, f"the header {shorten(name)} is set by the gateway and cannot be overridden")


def check_value(value: str, longest: int) -> None:
    """BadHeader unless `value` is latin-1 without controls or outer blanks (RFC 9110 section 5.5), and not over `longest`."""
    if len(value) > longest:
        raise BadHeader(Reason.INVALID_HEADER, f"the value has {len(value)} characters, {longest} are allowed")
    if not _VALUE.fullmatch(value):
        raise BadHeader(Reason.INVALID_HEADER, "the value holds a control character or one beyond latin-1")
    if value != value.strip(" \t"):
        raise BadHeader(Reason.INVALID_HEADER, "the value starts or ends with a blank")


def shorten(text: str) -> str:
    """`text` quoted for a message, cut at 40 characters, control characters escaped."""
    return ascii(text if len(text) <= 40 else text[:40] + "…")


def merge(outer: Headers, changes: Iterable[tuple[str, str | None]], policy: HeaderPolicy, identity: Headers) -> dict[str, str]:
    """The fields of one sub-request by name. `changes` are the envelope's and the operation's; None removes what came before.

    A cookie of the envelope's goes only where cookies are forwarded, and a name that servers take for a denied or set one
    because they read `_` as `-` goes nowhere.
    """
    merged = {name: value for name, value in outer if name in policy.forward} if policy.forward else {}
    for name, value in changes:
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = value
    if "cookie" not in policy.forward:
        merged.pop("cookie", None)
    ours = dict(policy.set + identity)
    for name in [name for name in merged if name in policy.deny or ("_" in name and _is_alias(name, ours, policy.deny))]:
        del merged[name]
    merged.update(ours)
    return merged


def _is_alias(name: str, ours: dict[str, str], denied: frozenset[str]) -> bool:
    """Whether `name` is another spelling of a header that is ours or denied."""
    spelled = name.replace("_", "-")
    return any(one != name and one.replace("_", "-") == spelled for one in (*ours, *denied))
