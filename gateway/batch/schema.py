"""JSON Schema (draft 2020-12): compiled once, and everything wrong with a value told in words that name the field.

The home of jsonschema-rs. Formats are checked, nothing is fetched, and numbers are compared exactly, whatever their size.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import TYPE_CHECKING, Any

from gateway.batch.compile import escape
from gateway.jsontext import Raw, has_each_name_once, make_loader

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

_MOST_TOLD = 20
_LONGEST_SHOWN = 40

_BOUNDS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
    "multipleOf": "a multiple of",
}
_SIZES = {
    "minLength": ("at least", "character"),
    "maxLength": ("at most", "character"),
    "minItems": ("at least", "element"),
    "maxItems": ("at most", "element"),
    "minProperties": ("at least", "field"),
    "maxProperties": ("at most", "field"),
}
_TYPES = {"integer": "a whole number", "object": "an object", "array": "a list", "boolean": "true or false", "null": "null"}

_SHORT_NUMBER = re.compile(r"-?[0-9.]{1,16}(?:[eE][+-]?[0-9])?")
"""A double can tell each of these from the next: none has many digits, or an exponent of two."""

Wrong = tuple[str, str]
"""One thing wrong with a value: a JSON Pointer into it, and what."""


class BadSchema(ValueError):
    """The schema is none. `pointer` leads to what is wrong in it."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.detail = detail


class Schema:
    """A compiled schema. `what` is what a message calls the value as a whole. BadSchema if the document is no schema."""

    def __init__(self, document: Any, what: str = "the value") -> None:
        import jsonschema_rs  # noqa: PLC0415 - 4 MiB that only a configuration with a schema has to pay for

        self._what = what
        try:
            self._validator = jsonschema_rs.Draft202012Validator(document, validate_formats=True, mask="it", offline=True)
        except jsonschema_rs.ValidationError as error:
            raise BadSchema(_pointer(error.instance_path), error.message) from None
        except ValueError as error:
            raise BadSchema("", str(error)) from None

    def problems(self, text: bytes | Raw) -> list[Wrong]:
        """What is wrong with a JSON text that `check_document` accepts, the first twenty things; none if it is valid.

        A field given twice is wrong: whoever gets the text may read the other one than what was checked.
        """
        plain = bytes(text)
        return self.problems_of_loaded(plain, load_exactly(plain))

    def problems_of_loaded(self, text: bytes, value: Any) -> list[Wrong]:
        """The same for a text of which `load_exactly` has made `value`."""
        if has_each_name_once(text, value) and self._validator.is_valid(value):
            return []
        return self._problems_exactly(text)

    def _problems_exactly(self, text: bytes) -> list[Wrong]:
        value, repeated = _load_noting_repeated(text)
        return repeated + self.problems_of(value)

    def problems_of(self, value: Any) -> list[Wrong]:
        """The same for a value as `json.loads` gives it; numbers with a fraction may be Decimals."""
        if self._validator.is_valid(value):
            return []
        errors = islice(self._validator.iter_errors(value), _MOST_TOLD)
        return [wrong for error in errors for wrong in self._explain(error, value)][:_MOST_TOLD]

    def _explain(self, error: "ValidationError", whole: Any) -> Iterator[Wrong]:
        place = error.instance_path
        keyword = error.kind.name
        details: dict[str, Any] = error.kind.as_dict()
        if keyword == "required":
            yield self._wrong([*place, details["property"]], "is required")
        elif keyword in ("additionalProperties", "unevaluatedProperties"):
            for name in details["unexpected"]:
                yield self._wrong([*place, name], "is not allowed")
        elif keyword == "falseSchema":
            # The library tells one field that nothing but additionalProperties forbids, and not which.
            every = _value_at(whole, place) if error.schema_path[-1:] == ["additionalProperties"] else None
            for names in [[name] for name in every] if isinstance(every, dict) else [[]]:
                yield self._wrong([*place, *names], "is not allowed")
        elif keyword == "anyOf" and (names := _alternatives(details["context"], place)):
            yield self._wrong([*place, " or ".join(names)], "is required", place)
        else:
            wanted = _wanted(keyword, details)
            if wanted:
                yield self._wrong(place, f"must {wanted}, got {_describe(error.instance)}")
            else:
                yield self._wrong(place, f"is wrong: {error.message}")

    def _wrong(self, named: list[str | int], message: str, place: list[str | int] | None = None) -> Wrong:
        name = ".".join(str(part) for part in named)
        return _pointer(named if place is None else place), f"{_shorten(name) if named else self._what} {message}"


def _value_at(value: Any, place: list[str | int]) -> Any:
    for part in place:
        value = value[part]
    return value


def _wanted(keyword: str, details: dict[str, Any]) -> str:
    """What a keyword asks for, going on from "must"; nothing for those that are told in the library's words."""
    if keyword in _BOUNDS:
        return f"be {_BOUNDS[keyword]} {next(iter(details.values()))}"
    if keyword in _SIZES:
        bound, unit = _SIZES[keyword]
        return f"have {bound} {details['limit']} {unit}{'' if details['limit'] == 1 else 's'}"
    if keyword == "type":
        return "be " + " or ".join(_TYPES.get(name, f"a {name}") for name in details["types"])
    if keyword == "enum":
        return "be " + " or ".join(_describe(option) for option in details["options"])
    if keyword == "const":
        return f"be {_describe(details['expected_value'])}"
    if keyword == "pattern":
        return f"match {details['pattern']}"
    if keyword == "format":
        return f"have the format {details['format']}"
    return ""


def find_repeated(text: bytes) -> list[Wrong]:
    """Every name that stands twice in an object of a valid JSON text, the first twenty."""
    return [] if has_each_name_once(text, load_exactly(text)) else _load_noting_repeated(text)[1]


def _load_noting_repeated(text: bytes) -> tuple[Any, list[Wrong]]:
    twice: list[str] = []

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice.extend(_find_repeated([name for name, _ in pairs]))
        return found

    value = json.loads(text, parse_float=_read_exactly, object_pairs_hook=collect)
    return value, [("", f"{_shorten(name)} is given twice") for name in twice[:_MOST_TOLD]]


def _alternatives(context: list[list["ValidationError"]], place: list[str | int]) -> list[str]:
    """The fields of which one would do, where nothing but a field is missing from every alternative."""
    missing = [
        one.kind.as_dict()["property"]
        for errors in context
        for one in errors
        if len(errors) == 1 and one.kind.name == "required" and one.instance_path == place
    ]
    return missing if len(missing) == len(context) else []


def _read_exactly(number: str) -> Decimal | float:
    try:
        return Decimal(number)
    except InvalidOperation:  # an exponent beyond the library's, so zero or next to it
        return float(number)


def _read_quickly(number: str) -> Decimal | float:
    return float(number) if _SHORT_NUMBER.fullmatch(number) else _read_exactly(number)


load_exactly = make_loader(_read_quickly)
"""A JSON text that `check_document` accepts, as Python's value and no number rounded: those beyond a double are Decimals."""


def _find_repeated(names: list[str]) -> list[str]:
    seen: set[str] = set()
    repeated: list[str] = []
    for name in names:
        if name in seen and name not in repeated:
            repeated.append(name)
        seen.add(name)
    return repeated


def _describe(value: Any) -> str:
    """A value for a message: never the whole of it."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f'"{_shorten(value)}"'
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _shorten(str(value))


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"


def _pointer(path: list[str | int]) -> str:
    return "".join(f"/{escape(str(part))}" for part in path)
