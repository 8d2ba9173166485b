"""The native answer: `{"responses": [ … ], "duration": 41.7}`, in the order asked."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Any

from gateway.batch.assembly import Entry
from gateway.batch.content import Content, Kind
from gateway.batch.operation import Envelope
from gateway.batch.results import Finished
from gateway.dialects.dialect import Encoded
from gateway.dialects.problem import failure_object, problem_type
from gateway.errors import title_of
from gateway.jsontext import dump, fragment
from gateway.messages import Headers, Reason


@dataclass(frozen=True, slots=True)
class Flavour:
    """How the answer is spelled, and whether a body string that holds a JSON object or array is that JSON.

    `multi_status`: 207 when something failed. `text_durations`: whole milliseconds as a string, and no `queued`.
    `path_as_asked`: never the filled one.
    """

    name: str
    multi_status: bool = True
    text_durations: bool = False
    path_as_asked: bool = False
    headers_by_default: bool = True
    json_in_strings: bool = False


NATIVE = Flavour("native")
AGENDIZE = Flavour("agendize", False, True, True, False, True)


def encode(envelope: Envelope, entries: tuple[Entry, ...], finished: Finished, flavour: Flavour) -> Encoded:
    """The whole answer."""
    show_headers = flavour.headers_by_default if envelope.show_headers is None else envelope.show_headers
    duration = round(finished.duration * 1000, 1)
    answer = {
        "responses": [_spell(entry, flavour, show_headers) for entry in entries],
        "duration": str(round(duration)) if flavour.text_durations else duration,
    }
    headers: Headers = (
        ("content-type", "application/json"),
        ("batch-operations", str(finished.operations)),
        ("batch-failed", str(finished.failed)),
    )
    return Encoded(207 if finished.failed and flavour.multi_status else 200, headers, dump(answer))


def _spell(entry: Entry, flavour: Flavour, show_headers: bool) -> dict[str, Any]:
    operation = entry.operation
    spelled: dict[str, Any] = {}
    if entry.item is not None:
        spelled["index"] = entry.item
    elif operation.name is not None:
        spelled["name"] = operation.name
    spelled["method"] = operation.method
    spelled["path"] = operation.path if flavour.path_as_asked else entry.path
    spelled["status"] = entry.status
    if show_headers and entry.headers:
        spelled["headers"] = _joined(entry.headers)
    if entry.content is not None:
        _put_body(spelled, entry.content)
    if flavour.text_durations:
        spelled["duration"] = str(round(entry.duration or 0))
    elif entry.duration is not None:
        spelled["duration"] = entry.duration
        spelled["queued"] = entry.queued
    if entry.failure is not None:
        spelled["error"] = failure_object(entry.failure)
    if entry.warning is not None:
        spelled["warning"] = _warning(entry.warning)
    if entry.entries is not None:
        spelled["responses"] = [_spell(below, flavour, show_headers) for below in entry.entries]
    return spelled


def _put_body(spelled: dict[str, Any], content: Content) -> None:
    match content.kind:
        case Kind.JSON:
            spelled["body"] = fragment(content.body)
        case Kind.TEXT:
            spelled["body"] = content.text
        case Kind.BYTES:
            spelled["body"] = b64encode(content.body).decode()
            spelled["bodyEncoding"] = "base64"
        case Kind.EMPTY:
            spelled["body"] = None


def _joined(headers: Headers) -> dict[str, str]:
    joined = dict(headers)
    if len(joined) == len(headers):
        return joined
    joined = {}
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _warning(reason: Reason) -> dict[str, str]:
    return {"type": problem_type(reason), "title": title_of(reason), "reason": reason.value}
