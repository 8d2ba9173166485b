"""A refused batch, told so that a person sees at once what to change and where."""

import textwrap
from collections.abc import Iterator

from gateway.client.refused import Complaint, GatewayRefused
from gateway.commands.pointer import find_place
from gateway.commands.screen import Colour, Screen, printable


def explain(refused: GatewayRefused, source: str, text: str, screen: Screen) -> list[str]:
    """Title and detail, then every complaint with its pointer and the line of `text` it points to.

    `source` is what to call the envelope: its file's name.
    """
    lines = [screen.paint(_fold(f"{refused.title} ({refused.status})", screen), Colour.BAD, Colour.STRONG)]
    if refused.detail and [refused.detail] != [complaint.detail for complaint in refused.complaints]:
        lines.append(_fold(refused.detail, screen))
    for complaint in refused.complaints:
        lines.append("")
        lines.extend(_explain(complaint, source, text, screen))
    return lines


def _explain(complaint: Complaint, source: str, text: str, screen: Screen) -> Iterator[str]:
    place = find_place(text, complaint.pointer)
    where = source if place is None else f"{source}:{place.line}:{place.column}"
    yield _fold(f"{where}  {complaint.pointer}", screen)
    yield screen.paint(_fold(f"{complaint.reason}: {complaint.detail}", screen, "  "), Colour.BAD)
    if place is not None:
        line = text.splitlines()[place.line - 1] if text else ""
        yield from _excerpt(line, place.line, place.column, screen)


def _excerpt(line: str, number: int, column: int, screen: Screen) -> Iterator[str]:
    """The line as it stands, cut to the screen round the column if it is long, and a caret below."""
    margin = f"  {number} | "
    room = max(8, screen.width - len(margin))
    at = column - 1
    start = 0 if len(line) <= room else max(0, min(at - room // 3, len(line) - room))
    yield screen.paint(margin, Colour.FAINT) + screen.fit(line[start : start + room].replace("\t", " "), room)
    yield " " * (len(margin) + at - start) + screen.paint("^", Colour.BAD)


def _fold(text: str, screen: Screen, indent: str = "") -> str:
    lines = textwrap.wrap(printable(text), screen.width, initial_indent=indent, subsequent_indent=indent)
    return "\n".join(lines)
