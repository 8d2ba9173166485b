import pytest

from gateway.jobs.kind import Line
from gateway.jobs.lines import FileLine, Splitter, split_chunk


def split(content: bytes, size: int, longest: int = 100) -> list[FileLine]:
    """The lines of a file that comes in pieces of so many bytes."""
    splitter = Splitter(longest)
    found = [line for begin in range(0, len(content), size) for line in splitter.feed(content[begin : begin + size])]
    return [*found, *splitter.end()]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n \r\n\t\n", []),
        (b"a\nb\n", [FileLine(1, 0, 2, b"a"), FileLine(2, 2, 2, b"b")]),
        (b"a\nb", [FileLine(1, 0, 2, b"a"), FileLine(2, 2, 1, b"b")]),
        (b"a\r\n\r\nb\r", [FileLine(1, 0, 3, b"a"), FileLine(3, 5, 2, b"b")]),
        (b"\xef\xbb\xbfa\nb", [FileLine(1, 3, 2, b"a"), FileLine(2, 5, 1, b"b")]),
        (b"\xef\xbb\xbf\n\na", [FileLine(3, 5, 1, b"a")]),
    ],
)
def test_lines_are_found_however_the_file_arrives(content: bytes, lines: list[FileLine], size: int) -> None:
    found = split(content, size)
    assert found == lines
    assert all(content[line.start : line.start + line.size].strip() == line.content for line in found)


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_may_be_as_long_as_the_longest_and_no_longer(end: bytes, size: int) -> None:
    assert [line.content for line in split(b"\xef\xbb\xbf" + b"x" * 100 + end, size)] == [b"x" * 100]
    assert [line.content for line in split(b"y" * 101 + end, size)] == [None]
    assert [line.content for line in split(b"a\n" + b"y" * 5000 + b"\nb" + end, size)] == [b"a", None, b"b"]


def test_a_line_that_is_too_long_is_not_held() -> None:
    splitter = Splitter(10)
    for _ in range(1000):
        assert not list(splitter.feed(b"x" * 1000))
    assert len(b"".join(splitter._held)) <= 15


def test_a_chunk_has_the_lines_it_was_cut_from() -> None:
    assert split_chunk(b"a\r\n\n  \nb\nc", 7) == [Line(7, b"a"), Line(8, b"b"), Line(9, b"c")]
