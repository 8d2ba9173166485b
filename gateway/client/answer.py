"""What a gateway answers to a batch, as values. Times are seconds here and milliseconds on the wire."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


class NotAnAnswer(ValueError):
    """The document is not a batch's answer. The message says what is missing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one operation.

    `duration` runs from ready to the last byte, `queued` is the part of it spent waiting to be sent; both are None where
    nothing was sent. `error` is a problem (RFC 9457) and there only if the gateway made the status, so an upstream's own 502
    has none. `responses` are the children: of a forEach in the order of its items, else of nested operations.
    """

    status: int
    method: str
    path: str
    name: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    body_encoding: str | None = None
    duration: float | None = None
    queued: float | None = None
    error: Mapping[str, Any] | None = None
    warning: Mapping[str, Any] | None = None
    coalesced: bool = False
    index: int | None = None
    responses: tuple["Entry", ...] = ()

    @property
    def failed(self) -> bool:
        """Whether its dependents were not sent: a status of 400 or more."""
        return self.status >= 400

    @property
    def reason(self) -> str | None:
        """Why the gateway made the status; None if an upstream did."""
        return None if self.error is None else str(self.error.get("reason", "unknown"))

    @property
    def is_for_each(self) -> bool:
        """Whether its children are those of a forEach, so that it was not sent itself. False if there was no item."""
        return any(child.index is not None for child in self.responses)

    def walk(self) -> Iterator["Entry"]:
        """This entry, then everything below it, in order."""
        yield self
        for child in self.responses:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """An accepted batch: `status` 200 if everything in it succeeded, else 207. `text` is the answer as it came.

    `operations` and `failed` are the gateway's own counts, children included; `duration` is in seconds.
    """

    status: int
    entries: tuple[Entry, ...]
    duration: float
    operations: int
    failed: int
    text: str = ""

    def __getitem__(self, name: str) -> Entry:
        """The entry of the operation so named, wherever it is nested; KeyError if there is none."""
        for entry in self.walk():
            if entry.name == name:
                return entry
        raise KeyError(name)

    def walk(self) -> Iterator[Entry]:
        """Every entry, children after their parents, in order."""
        for entry in self.entries:
            yield from entry.walk()


def read_answer(status: int, headers: Mapping[str, str], document: Any, text: str = "") -> BatchAnswer:
    """The answer in `document`; NotAnAnswer if it is none. Its counts are the headers', or made here if there are none."""
    if not isinstance(document, dict) or not isinstance(document.get("responses"), list):
        raise NotAnAnswer("there is no list of responses in it")
    try:
        entries = tuple(_read_entry(item) for item in document["responses"])
        duration = _seconds(document.get("duration")) or 0.0
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NotAnAnswer(f"a response cannot be read: {error!r}") from None
    every = [entry for top in entries for entry in top.walk()]
    return BatchAnswer(
        status=status,
        entries=entries,
        duration=duration,
        operations=_count(headers, "batch-operations", len(every)),
        failed=_count(headers, "batch-failed", sum(entry.failed for entry in every)),
        text=text,
    )


def _read_entry(item: Mapping[str, Any]) -> Entry:
    return Entry(
        status=int(item["status"]),
        method=str(item.get("method", "")),
        path=str(item.get("path", "")),
        name=item.get("name"),
        headers=item.get("headers") or {},
        body=item.get("body"),
        body_encoding=item.get("bodyEncoding"),
        duration=_seconds(item.get("duration")),
        queued=_seconds(item.get("queued")),
        error=item.get("error"),
        warning=item.get("warning"),
        coalesced=bool(item.get("coalesced", False)),
        index=item.get("index"),
        responses=tuple(_read_entry(child) for child in item.get("responses") or ()),
    )


def _seconds(milliseconds: Any) -> float | None:
    """On `/api/2.3/batch` milliseconds are a string, and "0" where nothing was sent."""
    return None if milliseconds in (None, "0") else float(milliseconds) / 1000


def _count(headers: Mapping[str, str], name: str, otherwise: int) -> int:
    value = headers.get(name, "")
    return int(value) if value.isdecimal() else otherwise
