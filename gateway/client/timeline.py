"""When each operation ran. An answer tells how long each took, not when it began; the envelope tells what it waited for.

An operation starts when the last of what it waits for has ended: its parent, what `dependsOn` and `after` name, and the
operations it refers to. What starts later than that, starts later because of the gateway itself, which this cannot show.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import chain, repeat
from typing import Any

from gateway.batch.jsonpath import PathRules
from gateway.batch.reference import BadReference, Reference, scan
from gateway.client.answer import BatchAnswer, Entry

_EVERY_PATH = PathRules(length=1 << 16, segments=1 << 16, descendants=True, filters=True)
"""The gateway has its own rules, and has accepted what is laid out here."""


@dataclass(frozen=True, slots=True)
class Span:
    """One entry's place in time, in seconds from the batch's start. `depth` is how deep it is nested, from 0."""

    entry: Entry
    depth: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class _Asked:
    """One operation of the envelope with its entry. `parent` and `members` are positions among all of them."""

    operation: Mapping[str, Any]
    entry: Entry
    depth: int
    parent: int | None
    members: tuple[int, ...]


def lay_out(envelope: Mapping[str, Any], answer: BatchAnswer) -> tuple[Span, ...]:
    """Every entry of `answer` with its start and end, in the order asked, children after their parents.

    Nothing is refused: an envelope that names what is not there, or waits in circles, is laid out as if it had not.
    """
    asked = _pair(envelope.get("requests"), answer.entries)
    waits = _waits(asked)
    starts: dict[int, float] = {}
    ends: dict[int, float] = {}
    for at in _order(waits):
        starts[at] = max((ends.get(other, 0.0) for other in waits[at]), default=0.0)
        ends[at] = starts[at] + _length(asked[at])
    return tuple(span for at, one in enumerate(asked) for span in _spans(one, starts[at], ends[at]))


def time_apart(answer: BatchAnswer) -> float:
    """Seconds the batch's requests would have taken one after another: durations without the waiting, each request once."""
    return sum((entry.duration or 0.0) - (entry.queued or 0.0) for entry in answer.walk() if _was_sent(entry))


def _was_sent(entry: Entry) -> bool:
    """A forEach parent is not sent itself, and a coalesced entry not again."""
    return entry.duration is not None and not entry.coalesced and not entry.is_for_each


def _pair(operations: Any, entries: Sequence[Entry]) -> list[_Asked]:
    paired: list[_Asked] = []

    def add(operations: Any, entries: Sequence[Entry], depth: int, parent: int | None) -> None:
        listed = [one if isinstance(one, Mapping) else {} for one in operations] if isinstance(operations, list) else []
        for operation, entry in zip(chain(listed, repeat({})), entries, strict=False):
            at = len(paired)
            paired.append(_Asked(operation, entry, depth, parent, ()))
            if not entry.is_for_each:
                add(operation.get("requests"), entry.responses, depth + 1, at)
            paired[at] = _Asked(operation, entry, depth, parent, tuple(range(at, len(paired))))

    add(operations, entries, 0, None)
    return paired


def _waits(asked: list[_Asked]) -> dict[int, set[int]]:
    """For each operation what it waits for: of an `after` everything below it too, else only the operation itself."""
    by_name = {one.operation.get("name"): at for at, one in enumerate(asked)}
    waits: dict[int, set[int]] = {}
    for at, one in enumerate(asked):
        after = _names(one.operation.get("after"))
        needed = {*_names(one.operation.get("dependsOn")), *_references(one.operation)} - after
        waits[at] = {by_name[name] for name in needed if name in by_name}
        for name in after & by_name.keys():
            waits[at].update(asked[by_name[name]].members)
        if one.parent is not None:
            waits[at].add(one.parent)
    return waits


def _names(value: Any) -> set[str]:
    return {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()


def _references(operation: Mapping[str, Any]) -> set[str]:
    fields = {key: value for key, value in operation.items() if key != "requests"}
    return {name for text in _texts(fields) for name in _names_in(text)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list):
        for element in value:
            yield from _texts(element)


def _names_in(text: str) -> list[str]:
    try:
        parts = scan(text, _EVERY_PATH, most=len(text))
    except BadReference:
        return []
    return [part.name for part in parts if isinstance(part, Reference) and not part.is_of_item()]


def _order(waits: dict[int, set[int]]) -> list[int]:
    try:
        return list(TopologicalSorter(waits).static_order())
    except CycleError:
        return list(waits)


def _length(one: _Asked) -> float:
    """A forEach has ended when its last child has; the children are ready together."""
    own = one.entry.duration or 0.0
    if not one.entry.is_for_each:
        return own
    return max((child.duration or 0.0 for child in one.entry.responses), default=own)


def _spans(one: _Asked, start: float, end: float) -> Iterator[Span]:
    yield Span(one.entry, one.depth, start, end)
    if one.entry.is_for_each:
        for child in one.entry.responses:
            yield Span(child, one.depth + 1, start, start + (child.duration or 0.0))
