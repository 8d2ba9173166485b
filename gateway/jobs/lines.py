"""The lines of a file, split as it streams: where each one stands and what it holds."""

from collections.abc import Iterator
from typing import NamedTuple

from gateway.jobs.kind import Line

_MARK = b"\xef\xbb\xbf"


class FileLine(NamedTuple):
    """A line that is not blank. `position` counts all lines from 1; `start` and `size` are bytes, its line end included.

    `content` has no line end; None if it is too long.
    """

    position: int
    start: int
    size: int
    content: bytes | None


class Splitter:
    """Splits pieces of a file into lines: CRLF or LF, the last one with or without; a byte order mark in front is dropped.

    Holds no more than one line of `longest` bytes.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._position = 0
        self._start = 0
        self._held: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[FileLine]:
        """The lines that end in this piece. To be read to the end before the next one is fed."""
        begin = 0
        while (end := piece.find(b"\n", begin)) >= 0:
            self._hold(piece[begin : end + 1])
            yield from self._line()
            begin = end + 1
        if begin < len(piece):
            self._hold(piece[begin:] if begin else piece)

    def end(self) -> Iterator[FileLine]:
        """The last line, if it has no end."""
        if self._size:
            yield from self._line()

    def _hold(self, some: bytes) -> None:
        self._size += len(some)
        # Two for the line end, three for the byte order mark.
        if self._size <= self._longest + 5:
            self._held.append(some)

    def _line(self) -> Iterator[FileLine]:
        start, size = self._start, self._size
        content = b"".join(self._held) if size <= self._longest + 5 else None
        self._held = []
        self._start += size
        self._size = 0
        self._position += 1
        if content is not None:
            if start == 0 and content.startswith(_MARK):
                content, start, size = content[3:], 3, size - 3
            content = content.removesuffix(b"\n").removesuffix(b"\r")
            if not content.strip():
                return
            if len(content) > self._longest:
                content = None
        yield FileLine(self._position, start, size, content)


def split_chunk(content: bytes, first_line: int) -> list[Line]:
    """The lines of a chunk, from its bytes."""
    found = [line.removesuffix(b"\r") for line in content.split(b"\n")]
    return [Line(first_line + index, line) for index, line in enumerate([line for line in found if line.strip()])]
