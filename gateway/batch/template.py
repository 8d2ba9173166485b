"""Templates: texts and JSON with holes, and putting values in the holes.

A value is its JSON text. In a text, scalars stand as text and a list is joined with commas; where a JSON string is exactly one
reference the value stands with its type. Where a value stands decides how it is encoded. What was filled in is not scanned.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.batch.headers import BadHeader, check_value
from gateway.batch.limits import Limits
from gateway.batch.reference import Parts, Reference
from gateway.batch.target import BadTarget, check_path, check_path_value, encode_literal, encode_value
from gateway.jsontext import elements, inner_string, load
from gateway.messages import Reason

Resolve = Callable[[Reference], bytes]
"""The value a reference stands for, as JSON text; Unfillable if there is none."""


class Unfillable(Exception):
    """A template cannot be filled, so its operation is not sent. `reason` and `detail` become its failure."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Hole:
    """A reference inside a JSON template. Typed: it was the whole string, so the value replaces the quotes too."""

    reference: Reference
    typed: bool


JsonParts = tuple[bytes | Hole, ...]

_TEXTLESS = {b"n": "null", b"{": "an object", b"[": "a list in a list"}
"""What has no text, by the byte that its JSON begins with."""


def literal(parts: Parts) -> str | None:
    """The text of a template without references, else None."""
    if not parts:
        return ""
    first = parts[0]
    return first if len(parts) == 1 and isinstance(first, str) else None


def fill_target(parts: Parts, resolve: Resolve, limits: Limits) -> str:
    """The target as it will be sent. Unfillable if a value has no text or is illegal where it stands, or all is too long."""
    filled = ""
    in_query = False
    try:
        for part in parts:
            if isinstance(part, str):
                filled += part if part.isascii() else encode_literal(part)
                in_query = in_query or "?" in part
            else:
                filled += _target_value(part, resolve, in_query)
        # A target and values that were each checked cannot make either; it is looked for because that costs next to nothing.
        if "//" in filled or "/." in filled:
            check_path(filled.partition("?")[0])
    except BadTarget as error:
        raise Unfillable(Reason.PATH_NOT_ALLOWED, str(error)) from None
    if len(filled) > limits.target:
        detail = f"the filled-in path has {len(filled)} characters, {limits.target} are allowed"
        raise Unfillable(Reason.PATH_NOT_ALLOWED, detail)
    return filled


def _target_value(reference: Reference, resolve: Resolve, in_query: bool) -> str:
    value = resolve(reference)
    # Most values are whole numbers: neither empty nor dots, and nothing in them to encode.
    if value.isdigit():
        return value.decode()
    if value[:1] != b"[":
        return _in_target(_text_of(value, reference), in_query)
    return ",".join([_in_target(text, in_query) for text in texts_of(value, reference)])


def _in_target(text: str, in_query: bool) -> str:
    if not in_query:
        check_path_value(text)
    return encode_value(text)


def fill_header(parts: Parts, resolve: Resolve, limits: Limits) -> str:
    """A header value as it will be sent. Unfillable if a value has no text, or the whole is no legal header value."""
    filled = fill_text(parts, resolve)
    try:
        check_value(filled, limits.header)
    except BadHeader as error:
        raise Unfillable(error.reason, str(error)) from None
    return filled


def fill_text(parts: Parts, resolve: Resolve) -> str:
    """Plain text, values unencoded."""
    return "".join(part if isinstance(part, str) else ",".join(texts_of(resolve(part), part)) for part in parts)


def fill_json(parts: JsonParts, resolve: Resolve) -> bytes:
    """JSON text: typed holes take the value itself, others its text inside the string they stand in."""
    filled = []
    for part in parts:
        if isinstance(part, bytes):
            filled.append(part)
        elif part.typed:
            filled.append(resolve(part.reference))
        else:
            filled.append(inner_string(",".join(texts_of(resolve(part.reference), part.reference))))
    return b"".join(filled)


def texts_of(value: bytes, reference: Reference) -> list[str]:
    """A value as text: one for a scalar, one per element for a list. Unfillable for null, objects and empty lists."""
    if value[:1] != b"[":
        return [_text_of(value, reference)]
    found = elements(value) or []
    if not found:
        raise Unfillable(Reason.REFERENCE_UNRESOLVED, f"{reference} is an empty list, which has no text")
    return [_text_of(bytes(element), reference) for element in found]


def _text_of(value: bytes, reference: Reference) -> str:
    opening = value[:1]
    if opening == b'"':
        text: str = load(value)
        return text
    textless = _TEXTLESS.get(opening)
    if textless is not None:
        raise Unfillable(Reason.REFERENCE_UNRESOLVED, f"{reference} is {textless}, which has no text")
    return value.decode()
