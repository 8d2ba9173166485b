"""The native answer: `{"responses": [ … ], "duration": 41.7}`, in the order asked."""

from dataclasses import dataclass
from typing import Any

from gateway.batch.assembly import Entry
from gateway.batch.content import JSON, Content, Kind
from gateway.batch.operation import Envelope
from gateway.batch.results import Finished
from gateway.dialects.dialect import Encoded
from gateway.dialects.native_shapes import SpelledAnswer, SpelledEntry
from gateway.dialects.problem import failure_object, problem_type
from gateway.errors import status_of, title_of
from gateway.jsontext import UNSET, Given, Raw, dump, dump_record
from gateway.messages import Headers, Reason, Response


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
    duration = milliseconds(finished.duration)
    answer = SpelledAnswer(
        responses=Spelling(flavour, show_headers).spell_all(entries),
        duration=str(round(duration)) if flavour.text_durations else duration,
    )
    headers: Headers = (
        ("content-type", "application/json"),
        ("batch-operations", str(finished.operations)),
        ("batch-failed", str(finished.failed)),
    )
    return Encoded(207 if finished.failed and flavour.multi_status else 200, headers, dump_record(answer))


class Spelling:
    """Spells the entries of one answer. Their results must live as long: header fields are told apart by their identity."""

    __slots__ = ("_headers", "_path_as_asked", "_show_headers", "_text_durations")

    def __init__(self, flavour: Flavour, show_headers: bool) -> None:
        self._text_durations = flavour.text_durations
        self._path_as_asked = flavour.path_as_asked
        self._show_headers = show_headers
        self._headers: dict[int, Raw] = {}

    def spell_all(self, entries: tuple[Entry, ...]) -> list[SpelledEntry]:
        """Entries in their order, each with what belongs below it."""
        return [self.spell(entry) for entry in entries]

    def spell(self, entry: Entry) -> SpelledEntry:
        """One entry, with what belongs below it."""
        # Written out, but for what is rare: a call costs as much as three fields, and so does a look into an outcome.
        result, content, below = entry.result, entry.content, entry.entries
        operation, outcome, target = result.operation, result.outcome, result.target
        headers: Given[Raw] = UNSET
        body: Given[Raw | str | bytes | None] = UNSET
        body_encoding: Given[str] = UNSET
        error: Given[dict[str, Any]] = UNSET
        if isinstance(outcome, Response):
            status, fields, _, waited = outcome
            if fields and self._show_headers:
                headers = self._headers.get(id(fields)) or self._spell_headers(fields)
            if content is not None:
                if content.kind is JSON:
                    body = Raw(content.body)
                else:
                    body, body_encoding = _other_body(content)
        else:
            status, waited = status_of(outcome.reason), outcome.queued
            error = failure_object(outcome)
        duration: Given[float | str] = UNSET
        queued: Given[float] = UNSET
        if self._text_durations:
            duration = str(0 if result.started is None else round(milliseconds(result.duration)))
        elif result.started is not None:
            duration = milliseconds(result.duration)
            queued = milliseconds(waited) if waited else 0.0
        return SpelledEntry(
            UNSET if result.item is None else result.item,
            UNSET if operation.name is None or result.item is not None else operation.name,
            operation.method,
            operation.path if target is None or self._path_as_asked else target,
            status,
            headers,
            body,
            body_encoding,
            duration,
            queued,
            error,
            UNSET if entry.warning is None else _warning(entry.warning),
            True if result.coalesced and not self._text_durations else UNSET,
            UNSET if below is None else self.spell_all(below),
        )

    def _spell_headers(self, headers: Headers) -> Raw:
        """Header fields as an object, lines of one name joined. Answers with the same head share one tuple of fields."""
        joined: dict[str, str] = {}
        for name, value in headers:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        spelled = self._headers[id(headers)] = Raw(dump(joined))
        return spelled


def milliseconds(seconds: float) -> float:
    """Rounded to one decimal, in a tenth of the time that `round` takes for that."""
    return (seconds * 10_000.0 + 0.5) // 1.0 / 10.0


def _other_body(content: Content) -> tuple[str | bytes | None, Given[str]]:
    """A body that is not JSON, and its encoding: text as it is, bytes to be spelled in base64, nothing as null."""
    match content.kind:
        case Kind.TEXT:
            return content.text, UNSET
        case Kind.BYTES:
            return content.body, "base64"
        case _:
            return None, UNSET


def _warning(reason: Reason) -> dict[str, str]:
    return {"type": problem_type(reason), "title": title_of(reason), "reason": reason.value}
