"""What a stream can show: how wide it is, whether it takes colour, and which characters it can spell."""

import os
import shutil
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TextIO

NARROWEST = 24
"""Columns below which nothing readable fits; lines then run over."""


class Colour(StrEnum):
    """ANSI attributes by what they mean here."""

    GOOD = "32"
    HALF = "33"
    BAD = "31"
    FAINT = "2"
    STRONG = "1"


@dataclass(frozen=True, slots=True)
class Screen:
    """`width` in columns; `unicode` whether block characters and marks can be written, else ASCII stands in."""

    width: int = 80
    colour: bool = False
    unicode: bool = True

    def paint(self, text: str, *colours: Colour) -> str:
        """`text` in these colours, or as it is where there are none."""
        return f"\x1b[{';'.join(colours)}m{text}\x1b[0m" if self.colour and text else text

    def fit(self, text: str, columns: int) -> str:
        """Exactly `columns` wide: padded, or cut with an ellipsis."""
        text = printable(text)
        if columns_of(text) > columns:
            ending = "…" if self.unicode else "~"
            while text and columns_of(text) > columns - 1:
                text = text[:-1]
            text += ending if columns else ""
        return text + " " * (columns - columns_of(text))


def look_at(stream: TextIO, environment: Mapping[str, str] = os.environ) -> Screen:
    """What `stream` can show. NO_COLOR (no-color.org), TERM=dumb, COLUMNS are obeyed; a pipe is 80 columns without colour."""
    terminal = stream.isatty()
    columns = environment.get("COLUMNS", "")
    width = shutil.get_terminal_size().columns if terminal else 80
    if columns.isdecimal():
        width = int(columns)
    colour = terminal and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    return Screen(max(NARROWEST, width), colour, _spells(stream.encoding, "█░─✓✗…"))


def show(lines: Iterable[str], stream: TextIO) -> None:
    """Print `lines`; a character the stream cannot spell becomes a question mark instead of an error."""
    encoding = stream.encoding or "ascii"
    for line in lines:
        print(line.rstrip().encode(encoding, "replace").decode(encoding), file=stream)
    stream.flush()


def printable(text: str) -> str:
    """`text` without anything that could steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def columns_of(text: str) -> int:
    """Columns that printable `text` takes: wide characters two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _spells(encoding: str | None, characters: str) -> bool:
    try:
        characters.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
