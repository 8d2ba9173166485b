"""JSON as text: validate it, take it apart and put it together without ever turning a number into something else.

The home of msgspec and orjson. A value is its own bytes, so an integer beyond 64 bits or a long decimal leaves as it came
(RFC 8259 section 6 leaves number precision to the receiver; a gateway must not be that receiver).
"""

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, Final, TypeAlias, TypeVar

import msgspec
import orjson

Raw = msgspec.Raw
"""One JSON value as it stands in some larger text; bytes-like, without a copy."""

T = TypeVar("T")

UNSET: Final = msgspec.UNSET
Given: TypeAlias = T | msgspec.UnsetType
"""A field that may be absent, which is not the same as null."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """A frozen value, for where very many are made: it is built in a tenth of the time that a frozen dataclass takes.

    Never part of a reference cycle, so the garbage collector need not look at it.
    """


R = TypeVar("R", bound=Record)


def change(record: R, **fields: Any) -> R:
    """A copy of `record` with other values for some fields."""
    return msgspec.structs.replace(record, **fields)


_skip = msgspec.json.Decoder(Raw).decode
_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw])
_value: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_encode = msgspec.json.Encoder().encode

_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""Brackets as signed bytes: one level down, one level up."""

_ALL_DIGITS_ALIKE = bytes.maketrans(b"123456789E", b"000000000e")


class NotJson(ValueError):
    """The text is not acceptable JSON. The message says what and where, and echoes none of it."""


def check_document(text: bytes, depth: int) -> None:
    """Raise NotJson unless `text` is one JSON value, RFC 8259, in UTF-8, nested at most `depth` deep, all numbers finite.

    Stricter than the grammar where a value could not be passed on unharmed: no lone surrogates, no number beyond a double.
    """
    if not text.strip(b" \t\r\n"):
        raise NotJson("the body is empty")
    if text.startswith(b"\xef\xbb\xbf"):
        raise NotJson("the body starts with a byte order mark; send UTF-8 without one")
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise NotJson(f"the body is not UTF-8 (byte {error.start})") from None
    try:
        _skip(text)
    except RecursionError:
        raise NotJson(f"the body is nested deeper than {depth}") from None
    except msgspec.DecodeError as error:
        raise NotJson(_explain(str(error), text)) from None
    if are_tame([text], depth):
        return
    outside = _outside_strings(text)
    if _is_deeper(outside, depth):
        raise NotJson(f"the body is nested deeper than {depth}")
    if _may_be_infinite(outside):
        _check_numbers(text)


def are_tame(texts: list[bytes], depth: int) -> bool:
    """Whether valid JSON texts are nested at most `depth` deep, all numbers finite, beyond doubt.

    Strings are looked into as well, so False only says that `check_document` has to look.
    """
    return max([text.count(b"[") + text.count(b"{") for text in texts]) <= depth and not _may_be_infinite(b" ".join(texts))


def _explain(message: str, text: bytes) -> str:
    """msgspec's message in our words. It reports bad UTF-16 escapes, short literals and NaN as truncation."""
    if message.startswith("Input data was truncated"):
        return f"the body is cut short, or holds NaN, Infinity or half a surrogate pair (within {len(text)} bytes)"
    return message.replace("JSON is malformed: ", "").replace("(byte ", "(at byte ")


def _outside_strings(text: bytes) -> bytes:
    """What stands outside the strings of a valid JSON text, strings gone."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(text.split(b'"')[::2])


def _is_deeper(outside: bytes, depth: int) -> bool:
    steps = outside.translate(_STEPS, _NOT_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0) > depth


def _may_be_infinite(text: bytes) -> bool:
    """Whether it holds what a number beyond 1.8e308 must: an exponent of three digits, or 200 digits before one of two."""
    alike = text.translate(_ALL_DIGITS_ALIKE)
    return b"e000" in alike or b"e+000" in alike or b"0" * 200 in alike


def _check_numbers(text: bytes) -> None:
    """orjson, unlike msgspec, reads every number; it refuses one that would be infinite."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        raise NotJson("a number is beyond the range of a double") from None


def is_json(text: bytes) -> bool:
    """Whether `text` can stand in a JSON answer as it is: one value, RFC 8259, in UTF-8."""
    try:
        if not text.isascii():
            text.decode()
        _skip(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def make_decoder(shape: type[T]) -> Callable[[bytes], T | None]:
    """A function from JSON in UTF-8 to a `shape` made of Records; None if the text is not JSON or of another shape.

    Values typed as Raw are only known to be JSON by its grammar: `check_document` says whether they can be passed on.
    """
    decode = msgspec.json.Decoder(shape).decode

    def decode_or_none(text: bytes) -> T | None:
        try:
            if not text.isascii():
                text.decode()
            return decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    return decode_or_none


def members(text: bytes | Raw) -> dict[str, Raw] | None:
    """The members of a valid JSON object, or None if it is something else. Of duplicate keys the last one counts."""
    try:
        return _object.decode(text)
    except msgspec.ValidationError:
        return None


def elements(text: bytes | Raw) -> list[Raw] | None:
    """The elements of a valid JSON array, or None if it is something else."""
    try:
        return _array.decode(text)
    except msgspec.ValidationError:
        return None


def load(text: bytes | Raw) -> Any:
    """A valid JSON value as Python's. Numbers may lose digits: only for what the gateway itself reads.

    NotJson if it holds a number beyond a double's range, which `check_document` refuses and `is_json` does not.
    """
    try:
        return _value.decode(text)
    except msgspec.DecodeError as error:
        raise NotJson(str(error)) from None


def make_loader(read_fraction: Callable[[str], Any]) -> Callable[[bytes | Raw], Any]:
    """A `load` that need lose nothing: whole numbers are exact, and any other is what `read_fraction` makes of its text."""
    return msgspec.json.Decoder(float_hook=read_fraction).decode


def has_each_name_once(text: bytes, value: Any) -> bool:
    """Whether no object in a valid JSON text has two members of one name, beyond doubt. `value` is the text, loaded.

    Written again the value has as many colons, unless a member was lost. An escaped one could stand in for that.
    """
    return b"\\u003" not in text and _encode(value).count(b":") == text.count(b":")


def dump(value: Any) -> bytes:
    """Python's value as JSON; Raw and Fragment stand for themselves."""
    return orjson.dumps(value)


def dump_record(record: Record) -> bytes:
    """A Record as JSON, without its fields that are UNSET; Raw stands for itself, bytes become base64.

    Strings are spelled as `dump` does, and floats below 1e16.
    """
    return _encode(record)


def fragment(text: bytes) -> orjson.Fragment:
    """Valid JSON text to stand in a value given to `dump`. Nothing checks it again."""
    return orjson.Fragment(text)


def inner_string(text: str) -> bytes:
    """`text` as it stands between the quotes of a JSON string."""
    return orjson.dumps(text)[1:-1]


class Node:
    """A valid JSON value taken apart only as far as it is read, and each container only once."""

    __slots__ = ("_children", "raw")

    def __init__(self, raw: bytes | Raw) -> None:
        self.raw = raw
        self._children: dict[str, Any] | list[Any] | bool | None = None

    def text(self) -> bytes:
        """The value's own JSON text, without the blanks that may stand round a whole body."""
        return bytes(self.raw).strip(b" \t\r\n")

    def size(self) -> int:
        """How many bytes its text has, blanks included."""
        return len(self.raw)

    def is_array(self) -> bool:
        """Whether the value is an array."""
        return isinstance(self._open(), list)

    def member(self, name: str) -> "Node | None":
        """The member of that name, or None if there is none or the value is no object."""
        children = self._open()
        if not isinstance(children, dict) or name not in children:
            return None
        return self._child(children, name)

    def element(self, index: int) -> "Node | None":
        """The element at `index`, negative from the end, or None."""
        children = self._open()
        if not isinstance(children, list) or not -len(children) <= index < len(children):
            return None
        return self._child(children, index)

    def children(self) -> Iterator["Node"]:
        """Members of an object, or elements of an array, in order; nothing from a scalar."""
        children = self._open()
        keys: Any = range(len(children)) if isinstance(children, list) else children or ()
        for key in keys:
            yield self._child(children, key)

    def __len__(self) -> int:
        children = self._open()
        return len(children) if isinstance(children, dict | list) else 0

    def _open(self) -> dict[str, Any] | list[Any] | bool:
        if self._children is None:
            opened = members(self.raw)
            self._children = opened if opened is not None else elements(self.raw)
            if self._children is None:
                self._children = False
        return self._children

    @staticmethod
    def _child(children: Any, key: Any) -> "Node":
        child = children[key]
        if not isinstance(child, Node):
            child = children[key] = Node(child)
        return child
