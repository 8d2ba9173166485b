"""Path prefixes of routes."""

import re

from gateway.config.problems import Wrong

PREFIX_PATTERN = r"^/[A-Za-z0-9._~!$&'()+,=:@/-]*$"
"""The path characters of RFC 3986 section 3.3 without percent-encoding, `;` and `*`, which services read differently."""


def read_prefix(text: str) -> str:
    """A prefix of whole segments, without a slash at its end; `/` is everything."""
    if not text.startswith("/"):
        raise Wrong("must begin with /", f"/{text}" if re.fullmatch(PREFIX_PATTERN, f"/{text}") and "//" not in text else "")
    if "?" in text or "#" in text:
        raise Wrong("must be a path alone, without a query or fragment")
    if re.search(r"[*{}<>]|/:", text):
        message = "must be a plain prefix: patterns are not supported, and everything below a prefix is served"
        raise Wrong(message, _before_pattern(text))
    if not re.fullmatch(PREFIX_PATTERN, text):
        raise Wrong("must be a path of letters, digits and -._~!$&'()+,=:@ between its slashes")
    if "//" in text:
        raise Wrong("must not have empty segments")
    if {".", ".."} & set(text.split("/")):
        raise Wrong("must not have the segments . or ..")
    return text.rstrip("/") or "/"


def _before_pattern(text: str) -> str:
    literal = re.split(r"/[^/]*[*{}<>]|/:", text)[0]
    return literal if re.fullmatch(PREFIX_PATTERN, literal) else ""
