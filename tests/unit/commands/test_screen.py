"""What a stream can show is found out once, and nothing printed breaks it."""

import io
from typing import TextIO

import pytest

from gateway.commands.screen import NARROWEST, Colour, Screen, columns_of, look_at, printable, show


def _stream(encoding: str = "utf-8", terminal: bool = False) -> TextIO:
    class Stream(io.TextIOWrapper):
        def isatty(self) -> bool:
            return terminal

    return Stream(io.BytesIO(), encoding=encoding)


def _written(stream: TextIO) -> bytes:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("terminal", "environment", "screen"),
    [
        (False, {}, Screen(80, colour=False)),
        (False, {"COLUMNS": "120"}, Screen(120, colour=False)),
        (True, {"COLUMNS": "60"}, Screen(60, colour=True)),
        (True, {"COLUMNS": "60", "NO_COLOR": "1"}, Screen(60, colour=False)),
        (True, {"COLUMNS": "60", "NO_COLOR": ""}, Screen(60, colour=True)),
        (True, {"COLUMNS": "60", "TERM": "dumb"}, Screen(60, colour=False)),
        (True, {"COLUMNS": "3"}, Screen(NARROWEST, colour=True)),
    ],
)
def test_width_and_colour_follow_the_stream_and_the_environment(
    terminal: bool, environment: dict[str, str], screen: Screen
) -> None:
    assert look_at(_stream(terminal=terminal), environment) == screen


@pytest.mark.parametrize(("encoding", "unicode"), [("utf-8", True), ("ascii", False), ("latin-1", False), ("cp1252", False)])
def test_blocks_are_drawn_only_where_they_can_be_spelled(encoding: str, unicode: bool) -> None:
    assert look_at(_stream(encoding), {}).unicode is unicode


def test_a_character_the_stream_cannot_spell_becomes_a_question_mark() -> None:
    stream = _stream("ascii")

    show(["naïve  ", "a\ud800b"], stream)

    assert _written(stream) == b"na?ve\na?b\n"


def test_text_is_cut_and_padded_by_columns_and_not_by_characters() -> None:
    screen = Screen()

    assert screen.fit("user", 6) == "user  "
    assert screen.fit("preferences", 6) == "prefe…"
    assert screen.fit("注文一覧", 6) == "注文… "
    assert Screen(unicode=False).fit("preferences", 6) == "prefe~"
    assert columns_of("e\u0301") == 1


def test_nothing_that_steers_a_terminal_is_passed_on() -> None:
    assert printable("a\x1b[2Jb\r\n\u202ec") == "a?[2Jb???c"


def test_paint_does_nothing_without_colour() -> None:
    assert Screen(colour=True).paint("x", Colour.BAD, Colour.STRONG) == "\x1b[31;1mx\x1b[0m"
    assert Screen(colour=False).paint("x", Colour.BAD) == "x"
