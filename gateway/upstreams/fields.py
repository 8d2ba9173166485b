"""Header fields on both sides of a hop: what goes to an upstream, and what of its answer is for the client.

Rules: RFC 9110 sections 5.1, 5.5 and 7.6.1, RFC 9112 section 5.2 (folded lines).
"""

import re
from collections.abc import Iterable

from gateway.messages import Headers

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

OURS = HOP_BY_HOP | {"host", "content-length", "expect", "accept-encoding"}
"""Set by this hop alone: a second opinion on one would be a way to smuggle, or to get a coding that is not undone here."""

NOT_FOR_CLIENTS = HOP_BY_HOP | {
    "content-length",  # of the coded body
    "content-encoding",  # undone
    "strict-transport-security",  # about the upstream's host, not about the gateway's
    "alt-svc",
    "authorization",  # requests have these; an answer that does is echoing a secret
    "cookie",
}

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FOLD = re.compile(rb"[ \t]*\r?\n[ \t]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def select_for_upstream(headers: Headers) -> list[tuple[str, str]]:
    """The fields to send, without those that only this hop may set."""
    return [(name, value) for name, value in headers if name not in OURS]


def select_for_client(raw: Iterable[tuple[bytes, bytes]], show_cookies: bool) -> Headers | None:
    """The end-to-end fields of an answer: lower-case names, latin-1 values. None if a value holds a control character."""
    fields: list[tuple[str, str]] = []
    for raw_name, raw_value in raw:
        value = _FOLD.sub(b" ", raw_value)
        if _CONTROL.search(value):
            return None
        if _TOKEN.fullmatch(raw_name):
            fields.append((raw_name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")))
    dropped = NOT_FOR_CLIENTS | _named_by_connection(fields)
    if not show_cookies:
        dropped |= {"set-cookie", "set-cookie2"}
    return tuple(field for field in fields if field[0] not in dropped)


def _named_by_connection(fields: list[tuple[str, str]]) -> frozenset[str]:
    return frozenset(token.strip().lower() for name, value in fields if name == "connection" for token in value.split(","))
