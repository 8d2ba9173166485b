"""A batch's answer drawn as a waterfall: a row per operation in the order asked, a bar from when it was ready to its last byte.

✓ user             200 ███████                                   41 ms
✓ orders           200        █████████████                      82 ms
✗ shipment         404                     █████                 31 ms
  Not Found, answered by the upstream
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from gateway.client.answer import BatchAnswer, Entry
from gateway.client.timeline import Span, time_apart
from gateway.commands.screen import Colour, Screen, columns_of, printable

_BAR_AT_LEAST = 8
"""Columns below which a bar says nothing and is left out."""
_LABEL_AT_LEAST = 6
_NOTE_LINES = 2
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class _Ink:
    """The characters that bars and marks are made of."""

    run: str
    queued: str
    items: str
    good: str
    half: str
    bad: str


_BLOCKS = _Ink(run="█", queued="░", items="─", good="✓", half="!", bad="✗")
_ASCII = _Ink(run="#", queued=".", items="-", good=" ", half="!", bad="x")


@dataclass(frozen=True, slots=True)
class _Columns:
    """Widths of the parts of a row; `total` is the time that the bar's width stands for, in seconds."""

    label: int
    bar: int
    time: int
    total: float


def draw(spans: Sequence[Span], answer: BatchAnswer, screen: Screen) -> list[str]:
    """The rows, a closing line, and what the queued part means if there is any; no line is wider than the screen."""
    ink = _BLOCKS if screen.unicode else _ASCII
    columns = _measure(spans, answer, screen)
    lines: list[str] = []
    for span in spans:
        lines.append(_row(span, columns, ink, screen))
        lines.extend(_note(span, screen))
    lines += ["", *textwrap.wrap(_closing(answer), screen.width)]
    if answer.failed:
        lines.append(screen.paint(f"{answer.failed} of {answer.operations} failed", Colour.BAD))
    if any(_queued_cells(span, columns) for span in spans):
        lines.append(screen.paint(f"{ink.queued} waiting to be sent", Colour.FAINT))
    return lines


def _measure(spans: Sequence[Span], answer: BatchAnswer, screen: Screen) -> _Columns:
    time = max((len(_time(span)) for span in spans), default=0)
    longest = max((columns_of(printable(_label(span))) for span in spans), default=0)
    room = screen.width - len("✓  200 ") - time
    label = min(longest, screen.width * 2 // 5, room - _BAR_AT_LEAST - 1)
    total = max([answer.duration, *(span.end for span in spans)])
    if label < min(longest, _LABEL_AT_LEAST):
        return _Columns(max(0, min(longest, room)), 0, time, total)
    return _Columns(label, room - label - 1, time, total)


def _row(span: Span, columns: _Columns, ink: _Ink, screen: Screen) -> str:
    entry = span.entry
    colour = _colour(entry)
    mark = {Colour.GOOD: ink.good, Colour.HALF: ink.half}.get(colour, ink.bad)
    parts = [
        f"{screen.paint(mark, colour)} {screen.fit(_label(span), columns.label)}",
        screen.paint(f"{entry.status:3}", colour),
        _bar(span, columns, ink, screen),
        screen.paint(_time(span).rjust(columns.time), *(() if entry.duration is not None else (Colour.FAINT,))),
    ]
    return " ".join(part for part in parts if part).rstrip()


def _bar(span: Span, columns: _Columns, ink: _Ink, screen: Screen) -> str:
    """Where nothing was sent there is no bar, only room. A forEach is a thin line over its children's time."""
    if not columns.bar:
        return ""
    if span.end <= span.start or columns.total <= 0:
        return " " * columns.bar
    begin = min(round(span.start / columns.total * columns.bar), columns.bar - 1)
    end = max(begin + 1, min(round(span.end / columns.total * columns.bar), columns.bar))
    waited = min(_queued_cells(span, columns), end - begin - 1)
    stroke = ink.items if span.entry.is_for_each else ink.run
    return (
        " " * begin
        + screen.paint(ink.queued * waited, Colour.FAINT)
        + screen.paint(stroke * (end - begin - waited), _colour(span.entry))
        + " " * (columns.bar - end)
    )


def _queued_cells(span: Span, columns: _Columns) -> int:
    return round((span.entry.queued or 0.0) / columns.total * columns.bar) if columns.total > 0 else 0


def _note(span: Span, screen: Screen) -> list[str]:
    """Why a row is a failure, under it."""
    entry = span.entry
    if not entry.failed:
        return []
    indent = " " * min(2 + 2 * span.depth, screen.width // 3)
    wrapped = textwrap.wrap(
        printable(_why(entry)),
        screen.width,
        initial_indent=indent,
        subsequent_indent=indent,
        max_lines=_NOTE_LINES,
        placeholder=" …" if screen.unicode else " ~",
    )
    return [screen.paint(line, Colour.BAD) for line in wrapped]


def _why(entry: Entry) -> str:
    if entry.error is None:
        return f"{_PHRASES.get(entry.status, 'A failure')}, answered by the upstream"
    detail = entry.error.get("detail") or entry.error.get("title") or ""
    return f"{entry.reason}: {detail}" if detail else str(entry.reason)


def _label(span: Span) -> str:
    """The name, else what was asked; a forEach child by its index."""
    entry = span.entry
    asked = entry.path if entry.method == "GET" else f"{entry.method} {entry.path}"
    if entry.index is not None:
        asked = f"[{entry.index}] {asked}"
    return "  " * span.depth + (entry.name if entry.name and entry.index is None else asked)


def _time(span: Span) -> str:
    if span.entry.duration is None and not span.entry.is_for_each:
        return "not sent"
    return spell_time(span.end - span.start)


def spell_time(seconds: float) -> str:
    """A duration as people read it: `3.4 ms`, `62 ms`, `1.24 s`."""
    milliseconds = seconds * 1000
    if milliseconds < 9.95:
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds:.0f} ms" if milliseconds < 999.5 else f"{seconds:.2f} s"


def _colour(entry: Entry) -> Colour:
    if entry.failed:
        return Colour.BAD
    return Colour.HALF if entry.status == HTTPStatus.MULTI_STATUS else Colour.GOOD


def _closing(answer: BatchAnswer) -> str:
    apart = time_apart(answer)
    plural = "" if answer.operations == 1 else "s"
    total = f"{answer.operations} operation{plural} in {spell_time(answer.duration)}"
    if answer.operations == 1:
        return total
    if apart <= answer.duration:
        return f"{total}; {spell_time(apart)} of it were the upstreams'"
    return f"{total}; one after another they would have taken {spell_time(apart)}"
