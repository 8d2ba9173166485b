"""What a client asks for when it creates a batch or a file. What is in the file is looked at later, not here."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.batch.compile import Rules
from gateway.batch.headers import shorten
from gateway.batch.routes import RouteTable
from gateway.batch.target import BadTarget, check_literal, check_path
from gateway.dialects.fields import describe
from gateway.dialects.openai_errors import BadParameter, missing
from gateway.dialects.openai_objects import Spec
from gateway.errors import Refusal
from gateway.jsontext import NotJson, Raw, check_document, load, members
from gateway.messages import Reason

METHOD = "POST"
"""The only method of a batch's requests."""

PURPOSE = "batch"
"""The purpose of files of requests."""

PURPOSES = ("assistants", PURPOSE, "fine-tune", "vision", "user_data", "evals")
"""What a client may upload a file for. Only one for batches is ever read here."""

_FIELDS = frozenset({"completion_window", "endpoint", "input_file_id", "metadata", "output_expires_after"})
_ANCHOR = "created_at"
_SHORTEST_KEPT = 3600
_LONGEST_KEPT = 2_592_000
_MOST_PAIRS = 16
_LONGEST_KEY = 64
_LONGEST_VALUE = 512
_LONGEST_ID = 256


class Creation(NamedTuple):
    """A batch to be. `seconds` is its completion window."""

    input_file: str
    seconds: float
    spec: Spec


class Windows(NamedTuple):
    """The completion windows there are, as clients spell them, each with its seconds."""

    by_name: Mapping[str, float]


def make_windows(seconds: tuple[float, ...]) -> Windows:
    """Windows of these lengths, spelled as OpenAI's is, in hours: `24h`; in minutes or seconds where hours are not enough."""
    return Windows({_spell_window(one): one for one in seconds})


def _spell_window(seconds: float) -> str:
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds / length:.12g}{unit}"
    return f"{seconds:.12g}s"


def read_creation(body: bytes, windows: Windows, routes: RouteTable, rules: Rules) -> Creation:
    """What the body of `POST /batches` asks for. Raises a Refusal, 400."""
    try:
        check_document(body, rules.limits.depth)
    except NotJson as error:
        raise Refusal(Reason.MALFORMED_JSON, str(error)) from None
    given = members(body)
    if given is None:
        raise BadParameter(f"The body must be an object, got {describe(Raw(body.strip()))}.", None, "invalid_type")
    fields = {name: raw for name, raw in given.items() if bytes(raw) != b"null"}
    for name in given:
        if name not in _FIELDS:
            raise BadParameter(f"Unknown parameter: {shorten(name)}.", name[:_LONGEST_ID], "unknown_parameter")
    input_file = _string(fields, "input_file_id")
    endpoint = _string(fields, "endpoint")
    window = _string(fields, "completion_window")
    if not 0 < len(input_file) <= _LONGEST_ID:
        raise BadParameter(
            f"Invalid 'input_file_id': it is no file's id: {shorten(input_file)}.", "input_file_id", "invalid_value"
        )
    check_endpoint(endpoint, routes, rules)
    if window not in windows.by_name:
        raise _not_among("completion_window", window, tuple(windows.by_name))
    metadata = _metadata(fields["metadata"]) if "metadata" in fields else None
    keep = _output_kept(fields["output_expires_after"]) if "output_expires_after" in fields else None
    return Creation(input_file, windows.by_name[window], Spec(endpoint, window, metadata, keep))


def check_endpoint(endpoint: str, routes: RouteTable, rules: Rules) -> None:
    """Refuse what is no path that requests of batches may be sent to: of one upstream, by POST, and marked for that."""
    try:
        if len(endpoint) > rules.limits.target or "?" in endpoint:
            raise BadTarget("it is a path without a query")
        check_literal(endpoint, in_query=False, rules=rules.targets)
        check_path(endpoint)
    except BadTarget as error:
        raise BadParameter(f"Invalid value: {shorten(endpoint)}: {error}.", "endpoint", "invalid_value") from None
    found = routes.look_up(endpoint)
    if len(found) != 1 or not found[0].file_batches or METHOD not in found[0].methods:
        served = sorted({route.prefix for route in routes.routes if route.file_batches and METHOD in route.methods})
        raise _not_among("endpoint", endpoint, tuple(served))


def read_keep(anchor: str | None, seconds: str | None) -> float | None:
    """How many seconds a file is kept, from the two fields of a form; None if there is neither. Raises a Refusal, 400."""
    if anchor is None and seconds is None:
        return None
    if anchor is None:
        raise missing("expires_after.anchor")
    if seconds is None:
        raise missing("expires_after.seconds")
    number: int | None = int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) <= 12 else None
    return _kept(anchor, number, shorten(seconds), "expires_after")


def check_purpose(purpose: str | None, filename: str, any_filename: bool) -> str:
    """The purpose of a file, if a file of that name may have it. Raises a Refusal, 400."""
    if not purpose:
        raise missing("purpose")
    if purpose not in PURPOSES:
        raise _not_among("purpose", purpose, PURPOSES)
    if purpose == PURPOSE and not any_filename and not filename.lower().endswith(".jsonl"):
        raise BadParameter("Invalid file format for Batch API. Must be .jsonl", "file", None)
    return purpose


def _string(fields: Mapping[str, Raw], name: str) -> str:
    raw = fields.get(name)
    if raw is None:
        raise missing(name)
    value = load(raw)
    if not isinstance(value, str):
        raise _wrong_type(name, "a string", raw)
    return value


def _metadata(raw: Raw) -> dict[str, str]:
    pairs = members(raw)
    if pairs is None:
        raise _wrong_type("metadata", "an object", raw)
    if len(pairs) > _MOST_PAIRS:
        detail = f"Invalid 'metadata': {len(pairs)} properties, at most {_MOST_PAIRS} are allowed."
        raise BadParameter(detail, "metadata", "object_above_max_properties")
    read: dict[str, str] = {}
    for key, value in pairs.items():
        if len(key) > _LONGEST_KEY:
            detail = f"Invalid 'metadata': the key {shorten(key)} has {len(key)} characters, {_LONGEST_KEY} are allowed."
            raise BadParameter(detail, "metadata", "string_above_max_length")
        text: Any = load(value)
        if not isinstance(text, str):
            raise _wrong_type(f"metadata.{key}", "a string", value)
        if len(text) > _LONGEST_VALUE:
            detail = f"Invalid 'metadata.{key}': {len(text)} characters, {_LONGEST_VALUE} are allowed."
            raise BadParameter(detail, f"metadata.{key}", "string_above_max_length")
        read[key] = text
    return read


def _output_kept(raw: Raw) -> float:
    name = "output_expires_after"
    given = members(raw)
    if given is None:
        raise _wrong_type(name, "an object", raw)
    for field in ("anchor", "seconds"):
        if field not in given:
            raise missing(f"{name}.{field}")
    anchor, seconds = load(given["anchor"]), load(given["seconds"])
    whole = seconds if isinstance(seconds, int) and not isinstance(seconds, bool) else None
    return _kept(anchor if isinstance(anchor, str) else None, whole, describe(given["seconds"]), name)


def _kept(anchor: str | None, seconds: int | None, found: str, name: str) -> float:
    if anchor != _ANCHOR:
        raise BadParameter(f"Invalid '{name}.anchor': it must be '{_ANCHOR}'.", f"{name}.anchor", "invalid_value")
    if seconds is None or not _SHORTEST_KEPT <= seconds <= _LONGEST_KEPT:
        detail = f"Invalid '{name}.seconds': it must be a whole number from {_SHORTEST_KEPT} to {_LONGEST_KEPT}, got {found}."
        raise BadParameter(detail, f"{name}.seconds", "invalid_value")
    return float(seconds)


def _wrong_type(param: str, wanted: str, raw: Raw) -> BadParameter:
    detail = f"Invalid type for '{param}': expected {wanted}, but got {describe(raw)} instead."
    return BadParameter(detail, param, "invalid_type")


def _not_among(param: str, value: str, known: tuple[str, ...]) -> BadParameter:
    supported = ", ".join([f"'{one}'" for one in known]) or "there are none"
    return BadParameter(f"Invalid value: {shorten(value)}. Supported values are: {supported}.", param, "invalid_value")
