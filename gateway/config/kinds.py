"""The kinds of scalar settings: how each is read from a file, and what an editor is told about it.

A value is taken from YAML as it is, or out of `${…}` as text; text out of `${…}` becomes a number or a boolean only where the
setting is one. Every reader raises Wrong with a message that goes on from the setting's path.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import GetJsonSchemaHandler, PlainValidator, ValidationInfo, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from gateway.config.nodes import Substituted
from gateway.config.problems import Wrong, suggest
from gateway.config.scalars import resolve
from gateway.config.units import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    format_duration,
    parse_duration,
    parse_size,
)

JsonSchema = dict[str, Any]

HOLE_SCHEMA: JsonSchema = {"type": "string", "pattern": r"\$\{.+\}"}
"""A string that is filled in when the file is loaded, allowed wherever a scalar is."""

LONGEST = 86_400.0
"""Seconds: no time that a client waits is set beyond a day. It keeps deadlines far from what clocks and timers can express."""

LONGEST_KEPT = 366 * 86_400.0
"""Seconds: nothing is kept longer than a year."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Stands in `Annotated[type, Kind(…)]` and makes pydantic read the value with `read`."""

    read: Callable[[object], object]
    schema: JsonSchema

    def __get_pydantic_core_schema__(self, _source: object, _handler: object) -> CoreSchema:
        """Only `read` decides."""
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchema:
        """What an editor accepts: the values themselves, or a hole. A copy: pydantic writes the default into it."""
        return dict(self.schema)


def whole_number(minimum: int, maximum: int | None = None) -> Kind:
    """A whole number between the bounds, both included."""
    bounds = {"minimum": minimum} if maximum is None else {"minimum": minimum, "maximum": maximum}

    def read(value: object) -> int:
        number = _typed(value)
        if not isinstance(number, int) or isinstance(number, bool):
            raise Wrong("must be a whole number")
        _check_bounds(number, minimum, maximum, str)
        return number

    return Kind(read, _or_hole({"type": "integer", **bounds}))


def number(minimum: float, maximum: float, above: bool = False) -> Kind:
    """A number between the bounds; `above` leaves the lower one out."""

    def read(value: object) -> float:
        found = _typed(value)
        if not isinstance(found, int | float) or isinstance(found, bool):
            raise Wrong("must be a number")
        if above and found == minimum:
            raise Wrong(f"must be more than {minimum:g}")
        _check_bounds(float(found), minimum, maximum, "{:g}".format)
        return float(found)

    lower = "exclusiveMinimum" if above else "minimum"
    return Kind(read, _or_hole({"type": "number", lower: minimum, "maximum": maximum}))


def duration(positive: bool, longest: float = LONGEST) -> Kind:
    """Seconds, written with a unit or without; zero only where it is not `positive`."""

    def read(value: object) -> float:
        seconds = parse_duration(_typed(value))
        if positive and seconds <= 0:
            raise Wrong("must be positive")
        _check_bounds(seconds, 0, longest, format_duration)
        return seconds

    bounds = {"exclusiveMinimum" if positive else "minimum": 0, "maximum": longest}
    return Kind(read, _or_hole({"type": "number", **bounds}, {"type": "string", "pattern": f"^{DURATION_PATTERN}$"}))


def optional(kind: Kind) -> Kind:
    """The same or null, which means none."""

    def read(value: object) -> object:
        return None if value is None or (isinstance(value, Substituted) and not value) else kind.read(value)

    return Kind(read, {"anyOf": [*kind.schema["anyOf"], {"type": "null"}]})


def _read_size(value: object) -> int:
    size = parse_size(_typed(value))
    if size <= 0:
        raise Wrong("must be positive")
    return size


def _read_switch(value: object) -> bool:
    switch = _typed(value)
    if not isinstance(switch, bool):
        raise Wrong("must be true or false")
    return switch


def choice(*options: str) -> Kind:
    """One of a few words."""

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in options:
            raise Wrong(
                f"must be {' or '.join(options)}" if len(options) < 3 else f"must be one of {', '.join(options)}",
                suggest(value, options),
            )
        return str(value)

    return Kind(read, _or_hole({"enum": list(options)}))


def text(pattern: str, message: str) -> Kind:
    """Text that matches the whole pattern; `message` goes on from "must be"."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise not_text(value)
        if not re.fullmatch(pattern, value):
            raise Wrong(f"must be {message}", value.lower() if re.fullmatch(pattern, value.lower()) else "")
        return str(value)

    return Kind(read, _or_hole({"type": "string", "pattern": f"^(?:{pattern})$"}))


def from_text(read: Callable[[str], object], pattern: str | None = None, secret: bool = False) -> Kind:
    """Anything made of text by `read`, which raises Wrong. `pattern` is what an editor checks; a secret is never shown."""

    def read_text(value: object) -> object:
        if not isinstance(value, str):
            raise not_text(value, shows_value=not secret)
        return read(str(value))

    return Kind(read_text, {"type": "string"} if pattern is None else _or_hole({"type": "string", "pattern": pattern}))


def not_text(value: object, shows_value: bool = True) -> Wrong:
    """What to say of a value that should be text; YAML makes numbers and booleans of unquoted words."""
    hint = ": write it in quotes" if isinstance(value, int | float) else ""
    return Wrong(f"must be text{hint}", shows_value=shows_value)


def read_file_path(value: object, info: ValidationInfo) -> str | None:
    """A file, found from the folder of the configuration (the validation context) if its path is relative; or none."""
    if value is None or (isinstance(value, Substituted) and not value):
        return None
    if not isinstance(value, str):
        raise not_text(value)
    if not value or "\0" in value:
        raise Wrong("must be the path of a file")
    folder = info.context if isinstance(info.context, Path) else Path()
    return str(folder / value)


def read_optional_name(value: object) -> str | None:
    """A host name to check a certificate against, or none."""
    if value is None or (isinstance(value, Substituted) and not value):
        return None
    if not isinstance(value, str):
        raise not_text(value)
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", value):
        raise Wrong("must be a host name such as users.internal")
    return str(value)


def _or_hole(*schemas: JsonSchema) -> JsonSchema:
    return {"anyOf": [*schemas, HOLE_SCHEMA]}


def _typed(value: object) -> object:
    """Text out of a hole read as YAML reads an unquoted word; anything else as it is."""
    if not isinstance(value, Substituted):
        return value
    try:
        return resolve(value.strip())
    except Wrong:
        # Its message would repeat the value, which came from outside and may be a secret.
        return str(value)


def _check_bounds(found: float, minimum: float, maximum: float | None, show: Callable[[float], str]) -> None:
    if maximum is None or (found < 0 and minimum == 0):
        if found < minimum:
            raise Wrong("must not be negative" if minimum == 0 else f"must be at least {show(minimum)}")
    elif not minimum <= found <= maximum:
        raise Wrong(f"must be between {show(minimum)} and {show(maximum)}")


Port = Annotated[int, whole_number(0, 65_535)]
Count = Annotated[int, whole_number(1)]
CountOrZero = Annotated[int, whole_number(0)]
Duration = Annotated[float, duration(positive=True)]
Keeping = Annotated[float, duration(positive=True, longest=LONGEST_KEPT)]
DurationOrZero = Annotated[float, duration(positive=False)]
OptionalDuration = Annotated[float | None, optional(duration(positive=True))]
Ratio = Annotated[float, number(0, 1)]
PositiveRatio = Annotated[float, number(0, 1, above=True)]
_SIZE = Kind(_read_size, _or_hole({"type": "integer", "minimum": 1}, {"type": "string", "pattern": f"^{SIZE_PATTERN}$"}))
Size = Annotated[int, _SIZE]
Switch = Annotated[bool, Kind(_read_switch, _or_hole({"type": "boolean"}))]
OptionalFile = Annotated[str | None, PlainValidator(read_file_path), WithJsonSchema({"type": ["string", "null"]})]
OptionalSize = Annotated[int | None, optional(_SIZE)]
OptionalCount = Annotated[int | None, optional(whole_number(1))]
Folder = Annotated[str, text(r"[^\0]+", "the path of a folder")]
OptionalName = Annotated[str | None, Kind(read_optional_name, {"type": ["string", "null"]})]
