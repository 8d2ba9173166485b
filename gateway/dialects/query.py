"""Parameters out of a query, each with the type that a JSON Schema gives it.

A parameter is read as the first of its schema's types that its text can be: `42` is an integer where one is asked for, and a
string where that is. What can be none of them stays a string, for the schema to refuse. A list is written as a repeated name,
or with commas; `%2C` is a comma inside an element that is a string. Objects cannot be written in a query.
"""

import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from gateway.errors import Problem, refuse_envelope
from gateway.jsontext import dump
from gateway.messages import Reason

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 64
"""Characters. What is longer stays a string."""

_WITHOUT_COMMAS = frozenset({"integer", "number", "boolean", "null"})


def read_query(query: str, properties: Mapping[str, Any]) -> dict[str, bytes]:
    """The JSON text of each parameter by name. A Refusal if the query is not UTF-8, percent-encoded.

    A name that `properties` does not have is a string. One that is repeated and no list becomes a list all the same.
    """
    found: dict[str, list[str]] = {}
    for part in query.split("&"):
        if part:
            name, _, text = part.partition("=")
            found.setdefault(_decode(name), []).append(text)
    return {name: _read(texts, properties.get(name)) for name, texts in found.items()}


def _read(texts: list[str], schema: Any) -> bytes:
    if "array" in _types_of(schema):
        items = schema.get("items")
        return _spell_list([_type(piece, items) for text in texts for piece in _split(text, items)])
    typed = [_type(_decode(text), schema) for text in texts]
    return typed[0] if len(typed) == 1 else _spell_list(typed)


def _split(text: str, items: Any) -> list[str]:
    """The elements in one value. Clients that encode everything encode commas too: where no element holds one, it is one."""
    if not text:
        return []
    types = _types_of(items)
    if types and types <= _WITHOUT_COMMAS:
        return _decode(text).split(",")
    return [_decode(piece) for piece in text.split(",")]


def _type(text: str, schema: Any) -> bytes:
    for kind in _listed_types_of(schema):
        if kind == "string":
            break
        if _can_be(text, kind):
            return text.encode() or b"null"
    return dump(text)


def _can_be(text: str, kind: str) -> bool:
    match kind:
        case "integer":
            return len(text) <= _LONGEST_NUMBER and _INTEGER.fullmatch(text) is not None
        case "number":
            return len(text) <= _LONGEST_NUMBER and _NUMBER.fullmatch(text) is not None and math.isfinite(float(text))
        case "boolean":
            return text in ("true", "false")
        case "null":
            return text == ""
        case _:
            return False


def _types_of(schema: Any) -> frozenset[str]:
    return frozenset(_listed_types_of(schema))


def _listed_types_of(schema: Any) -> list[str]:
    """What the schema says in `type`, else the types of what it lists in `enum`."""
    if not isinstance(schema, dict):
        return []
    given = schema.get("type")
    if given is None:
        return [_name_type(value) for value in schema.get("enum", ())]
    return given if isinstance(given, list) else [given]


def _name_type(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case _:
            return "string"


def _spell_list(texts: list[bytes]) -> bytes:
    return b"[" + b",".join(texts) + b"]"


def _decode(text: str) -> str:
    try:
        return unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        raise refuse_envelope([Problem("", Reason.INVALID_PARAMETER, "the query is not UTF-8, percent-encoded")]) from None
