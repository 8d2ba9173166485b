"""A head that was read before is not read again, and makes no difference but that."""

import pytest

from gateway.upstreams.wire.heads import LONGEST, MOST, REST, Heads
from gateway.upstreams.wire.reader import AnswerReader

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n"


def read(reader: AnswerReader, raw: bytes, method: str = "GET", size: int = 1 << 20) -> tuple[int, bytes, bool, bool]:
    """Status, body, whether the connection may go on, and whether the head was known; `raw` comes in pieces of `size`."""
    reader.begin(method)
    for start in range(0, len(raw), size):
        reader.feed(raw[start : start + size])
    assert reader.ended
    return reader.status, reader.take_body(), reader.keep_alive and not reader.surplus, reader.head is not None


def test_the_second_answer_with_a_head_is_as_the_first() -> None:
    reader = AnswerReader(100)
    first, headers = read(reader, HEAD + b"hello"), reader.headers
    second = read(reader, HEAD + b"HELLO")
    assert (first, second) == ((200, b"hello", True, False), (200, b"HELLO", True, True))
    assert reader.headers == headers


def test_connections_share_what_they_know() -> None:
    heads = Heads()
    read(AnswerReader(100, heads), HEAD + b"hello")
    assert read(AnswerReader(100, heads), HEAD + b"hello") == (200, b"hello", True, True)


@pytest.mark.parametrize("size", [1, len(HEAD), len(HEAD) + 2])
def test_an_answer_in_pieces_is_parsed(size: int) -> None:
    reader = AnswerReader(100)
    read(reader, HEAD + b"hello")
    assert read(reader, HEAD + b"HELLO", size=size) == (200, b"HELLO", True, False)
    assert read(reader, HEAD + b"hello") == (200, b"hello", True, True)


def test_bytes_after_the_end_are_seen() -> None:
    reader = AnswerReader(100)
    read(reader, HEAD + b"hello")
    assert read(reader, HEAD + b"hello!") == (200, b"hello", False, False)


def test_a_head_answer_is_none_of_it() -> None:
    reader = AnswerReader(100)
    assert read(reader, HEAD, "HEAD") == (200, b"", True, False)
    assert read(reader, HEAD + b"hello") == (200, b"hello", True, False)
    assert read(reader, HEAD, "HEAD") == (200, b"", True, False)


def test_the_limit_holds_for_each_reader() -> None:
    heads = Heads()
    read(AnswerReader(5, heads), HEAD + b"hello")
    with pytest.raises(Exception, match="more than 4 bytes"):
        read(AnswerReader(4, heads), HEAD + b"hello")


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 204 None\r\n\r\n",
        HEAD[:-2] + b"Content-Encoding: identity\r\n\r\nhello",
        HEAD[:-2] + b"Connection: close\r\n\r\nhello",
        b"HTTP/1.1 103 Hints\r\n\r\n" + HEAD + b"hello",
        HEAD[:-2] + b"X: " + b"x" * LONGEST + b"\r\n\r\nhello",
    ],
    ids=["chunked", "chunked and empty", "204", "a coding", "closes", "after an interim answer", "long"],
)
def test_only_the_plainest_are_kept(raw: bytes) -> None:
    heads = Heads()
    read(AnswerReader(100, heads), raw)
    assert heads.known == {}


def number(count: int) -> bytes:
    return HEAD[:-2] + b"X: %d\r\n\r\nhello" % count


def test_where_every_head_is_another_none_are_kept_for_a_while() -> None:
    heads = Heads()
    reader = AnswerReader(100, heads)
    for count in range(MOST + 1):
        read(reader, number(count))
    heads.known.clear()
    for count in range(REST):
        read(reader, number(count))
    assert heads.known == {}
    read(reader, HEAD + b"hello")
    assert read(reader, HEAD + b"hello") == (200, b"hello", True, True)


def test_heads_that_are_used_are_kept_on() -> None:
    heads = Heads()
    reader = AnswerReader(100, heads)
    for count in range(MOST):
        for _ in range(6):
            read(reader, number(count))
    for count in range(MOST, MOST + 2):
        read(reader, number(count))
    assert len(heads.known) == 2
