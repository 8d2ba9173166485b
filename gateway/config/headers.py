"""Header names and values in a configuration (RFC 9110 sections 5.1 and 5.5)."""

import re

from gateway.config.problems import Wrong

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  # a grammar rule, not a secret
VALUE = re.compile(r"(?:[\x21-\x7e\xa0-\xff](?:[\t\x20-\x7e\xa0-\xff]*[\x21-\x7e\xa0-\xff])?)?")

HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip
"""RFC 9110 section 7.6.1: they belong to one connection."""

FRAMING = frozenset({"content-length", "expect"})
"""They say how the message is cut out of the connection, which only the sender knows."""

OF_THE_BATCH = frozenset({"content-encoding", "content-type", "host"})
"""On the outer request they describe the batch and not its operations."""


def read_header_name(text: str) -> str:
    """A header name in lower case."""
    if text.endswith("*") and re.fullmatch(TOKEN, text):
        raise Wrong("must be one header name: patterns are not supported")
    if not re.fullmatch(TOKEN, text):
        raise Wrong("must be a header name such as x-tenant")
    return text.lower()


def read_forwarded_name(text: str) -> str:
    """The name of a header that may pass from the outer request to an upstream."""
    name = read_header_name(text)
    _refuse_transport(name, "forwarded")
    if name in OF_THE_BATCH:
        raise Wrong("cannot be forwarded: it describes the batch and not its operations")
    return name


def read_set_name(text: str) -> str:
    """The name of a header that the configuration may set. `host` is allowed: it names the service wanted, not the framing."""
    name = read_header_name(text)
    _refuse_transport(name, "set")
    return name


def read_header_value(text: str) -> str:
    """A header value: latin-1, no control characters, no blanks at its ends. Never shown: it is often a credential."""
    if not VALUE.fullmatch(text):
        raise Wrong("must be latin-1 text without control characters or blanks at its ends", shows_value=False)
    return text


def _refuse_transport(name: str, verb: str) -> None:
    if name in HOP_BY_HOP:
        raise Wrong(f"cannot be {verb}: it belongs to one connection (RFC 9110 section 7.6.1)")
    if name in FRAMING:
        raise Wrong(f"cannot be {verb}: the gateway frames its messages itself")
