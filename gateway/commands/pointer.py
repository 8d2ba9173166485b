"""Finding the place in a JSON text that a JSON Pointer (RFC 6901) leads to."""

import re
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder

_decoder = JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column of a text, both from 1."""

    line: int
    column: int


def place_of(text: str, at: int) -> Place:
    """The place of the character at offset `at`."""
    start = text.rfind("\n", 0, at) + 1
    return Place(text.count("\n", 0, at) + 1, at - start + 1)


def find_place(text: str, pointer: str) -> Place | None:
    """Where the value of `pointer` begins in the valid JSON `text`, or the nearest value around it that exists.

    None if the text is no JSON, or the pointer is none. Costs one pass over the text before the place.
    """
    if pointer and not pointer.startswith("/"):
        return None
    at = _skip_space(text, 0)
    try:
        for token in pointer.split("/")[1:]:
            inner = _enter(text, at, token.replace("~1", "/").replace("~0", "~"))
            if inner is None:
                break
            at = inner
    except (JSONDecodeError, IndexError, RecursionError):
        return None
    return place_of(text, at)


def _enter(text: str, at: int, token: str) -> int | None:
    """The offset of the member or element `token` of the value at `at`; of duplicate members, the last."""
    if text[at] not in "{[":
        return None
    is_object = text[at] == "{"
    found: int | None = None
    index = 0
    at = _skip_space(text, at + 1)
    while text[at] not in "}]":
        key = str(index)
        if is_object:
            key, at = _decoder.raw_decode(text, at)
            at = _skip_space(text, _skip_space(text, at) + 1)
        if key == token:
            found = at
            if not is_object:
                break
        at = _skip_space(text, _decoder.raw_decode(text, at)[1])
        if text[at] == ",":
            at = _skip_space(text, at + 1)
        index += 1
    return found


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
