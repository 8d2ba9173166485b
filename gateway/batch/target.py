"""The target of a sub-request: a path and query inside the configured routes (RFC 3986).

Nothing may stand in it that two servers could read differently. What is ambiguous is refused, not repaired: the string that
was checked is the string that is sent.
"""

import re
from dataclasses import dataclass

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ENCODED = tuple(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in range(256))
_PLAIN = re.compile(r"[A-Za-z0-9\-._~]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_PARAMETERS = re.compile(r";[^/]*")

_PATH_CHARACTERS = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")
_QUERY_CHARACTERS = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]]|%[0-9A-Fa-f]{2})*")
_AMBIGUOUS = re.compile(r"%(?:2[eEfF5]|5[cC]|[01][0-9A-Fa-f]|7[fF])")


class BadTarget(ValueError):
    """The target may not be sent. The message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class TargetRules:
    """What a path may hold beyond the safe set: an encoded slash (`%2F`), a semicolon."""

    encoded_slash: bool = False
    semicolon: bool = False


def encode_value(value: str) -> str:
    """A value as one segment or one query value: all but unreserved characters percent-encoded (RFC 3986 section 2.3)."""
    if _PLAIN.fullmatch(value):
        return value
    return "".join(_ENCODED[byte] for byte in value.encode())


def encode_literal(text: str) -> str:
    """What the client wrote, with characters beyond ASCII encoded as UTF-8 and everything else untouched."""
    if text.isascii():
        return text
    return "".join(character if character.isascii() else encode_value(character) for character in text)


def comparable(path: str) -> str:
    """A path as prefixes are compared with it: spelled as most servers read it, so that no spelling leads round a route.

    Unreserved characters decoded, other hexadecimal digits in upper case (RFC 3986 section 6.2.2), path parameters gone.
    """
    if "%" not in path and ";" not in path and path.isascii():
        return path
    path = encode_literal(path)
    if ";" in path:
        path = _PARAMETERS.sub("", path)
    return _ESCAPE.sub(_respelled, path) if "%" in path else path


def _respelled(escape: re.Match[str]) -> str:
    return _ENCODED[int(escape[1], 16)]


def check_path_value(value: str) -> None:
    """BadTarget if a filled-in value could be something other than one segment, or part of one."""
    if not value:
        raise BadTarget("a value in a path may not be empty")
    if value in (".", ".."):
        raise BadTarget(f"a value in a path may not be {value!r}: it would change which path is asked for")
    if not value.isprintable() and _CONTROL.search(value):
        raise BadTarget("a value in a path may not hold control characters")


def check_literal(text: str, in_query: bool, rules: TargetRules) -> bool:
    """BadTarget if what the client wrote between two references cannot be sent as it is. True once the query has begun."""
    if in_query:
        _check_characters(text, _QUERY_CHARACTERS, "query")
        return True
    path, question, query = text.partition("?")
    _check_characters(path, _PATH_CHARACTERS, "path")
    if ";" in path and not rules.semicolon:
        raise BadTarget("the path holds ';', which some servers cut a path at (allow it with paths.semicolon)")
    for ambiguous in _AMBIGUOUS.findall(path):
        slash = ambiguous.upper() == "%2F"
        if not (slash and rules.encoded_slash):
            hint = " (allow it with paths.encoded_slash)" if slash else ""
            raise BadTarget(f"the path holds {ambiguous}, which servers read in different ways{hint}")
    if question:
        _check_characters(query, _QUERY_CHARACTERS, "query")
    return bool(question)


def _check_characters(text: str, allowed: re.Pattern[str], place: str) -> None:
    text = encode_literal(text)
    good = allowed.match(text)
    end = good.end() if good else 0
    if end == len(text):
        return
    character = text[end]
    if character == "%":
        raise BadTarget(f"the {place} holds a % that is not followed by two hexadecimal digits")
    raise BadTarget(f"the {place} holds {character!r}; percent-encode it as {encode_value(character)}")


def check_path(path: str) -> None:
    """BadTarget unless a path, as it would be sent, is absolute and has neither empty nor dot segments. A slash may end it."""
    if not path.startswith("/"):
        raise BadTarget("the path must start with '/': it is a path on a configured upstream, never another host")
    segments = [segment.partition(";")[0] for segment in path.split("/")] if ";" in path else path.split("/")
    if "" in segments[1:-1] or path.startswith("//"):
        raise BadTarget("the path holds '//', an empty segment")
    if "." in segments or ".." in segments:
        raise BadTarget("the path holds '.' or '..' as a segment")
