"""What is left to the reader by the parser; what bytes of every kind come to is in tests/wire."""

import pytest

from gateway.messages import Reason
from gateway.upstreams.wire.broken import Broken
from gateway.upstreams.wire.reader import FRAMING_BYTES, AnswerReader
from gateway.upstreams.wire.rules import HEAD_BYTES, HEAD_FIELDS

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def read(raw: bytes, method: str = "GET", size: int = 1 << 20, limit: int = 1 << 20) -> AnswerReader:
    """A reader that was fed `raw` in pieces of `size`."""
    reader = AnswerReader(limit)
    reader.begin(method)
    for start in range(0, len(raw), size):
        reader.feed(raw[start : start + size])
    return reader


def read_to_the_end(raw: bytes) -> bytes:
    """The body, when the upstream has closed its side."""
    reader = read(raw)
    reader.finish()
    return reader.take_body()


@pytest.mark.parametrize("size", [1, 5, 1 << 20])
@pytest.mark.parametrize(
    ("fields", "keep_alive"),
    [
        (b"", True),
        (b"Content-Length: 9\r\n", True),
        (b"Transfer-Encoding: chunked\r\n", True),
        (b"Connection: x, Close\r\n", False),
    ],
)
def test_an_answer_to_head_ends_with_its_head(fields: bytes, keep_alive: bool, size: int) -> None:
    reader = read(OK + fields + b"\r\n", "HEAD", size)
    assert (reader.ended, reader.status, reader.keep_alive, reader.surplus) == (True, 200, keep_alive, False)


@pytest.mark.parametrize(("fields", "keep_alive"), [(b"", False), (b"Connection: keep-alive\r\n", True)])
def test_http_1_0_closes_unless_it_says_otherwise(fields: bytes, keep_alive: bool) -> None:
    assert read(b"HTTP/1.0 200 OK\r\n" + fields + b"\r\n", "HEAD").keep_alive is keep_alive


@pytest.mark.parametrize("more", [b"\r\n", b"2\r\n", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"x"])
def test_bytes_after_an_answer_to_head_are_seen(more: bytes) -> None:
    assert read(CHUNKED + more, "HEAD").surplus


@pytest.mark.parametrize("more", [b"H", b"HTTP/1.1 200 OK\r\n", b"x", OK + b"Content-Length: 0\r\n\r\n"])
@pytest.mark.parametrize("raw", [OK + b"Content-Length: 2\r\n\r\nok", CHUNKED + b"2\r\nok\r\n0\r\n\r\n"])
def test_bytes_after_the_end_are_seen_and_not_mixed_in(raw: bytes, more: bytes) -> None:
    reader = read(raw + more)
    assert (reader.ended, reader.surplus, reader.take_body(), len(reader.headers)) == (True, True, b"ok", 1)


def test_what_comes_long_after_the_end_in_one_piece_is_seen() -> None:
    assert read(OK + b"Content-Length: 2\r\n\r\nok" + b"x" * 3 * FRAMING_BYTES).surplus
    assert read(OK + b"\r\n" + b"x" * 3 * FRAMING_BYTES, "HEAD").surplus


def test_after_the_answer_to_one_request_comes_that_to_the_next() -> None:
    reader = AnswerReader(100)
    for method, raw, body in (
        ("HEAD", OK + b"Content-Length: 9\r\n\r\n", b""),
        ("GET", OK + b"Content-Length: 2\r\n\r\nok", b"ok"),
        ("GET", CHUNKED + b"2\r\nok\r\n0\r\nX: trailer\r\n\r\n", b"ok"),
        ("GET", b"HTTP/1.1 204 None\r\n\r\n", b""),
        ("GET", b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    ):
        reader.begin(method)
        reader.feed(raw)
        assert (reader.ended, reader.keep_alive, reader.surplus, reader.take_body()) == (True, True, False, body)


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
@pytest.mark.parametrize(("count", "fits"), [(HEAD_FIELDS - 1, True), (HEAD_FIELDS, True), (HEAD_FIELDS + 1, False)])
def test_so_many_fields_and_no_more(count: int, fits: bool, size: int) -> None:
    raw = OK + b"X: y\r\n" * (count - 1) + b"Content-Length: 0\r\n\r\n"
    if fits:
        assert len(read(raw, size=size).headers) == count
    else:
        with pytest.raises(Broken, match=f"more than {HEAD_FIELDS} header fields"):
            read(raw, size=size)


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
@pytest.mark.parametrize(("length", "fits"), [(HEAD_BYTES, True), (HEAD_BYTES + 1, False)])
@pytest.mark.parametrize("place", ["head", "trailer"])
def test_fields_of_so_many_bytes_and_no_more(place: str, length: int, fits: bool, size: int) -> None:
    long = b"X" + b"y" * 4000
    lines = b"".join(b"%b: %b\r\n" % (long[:2000], long[:2000]) for _ in range(4))
    rest = length - 4 * 4000
    used = len(b"Transfer-Encodingchunked") if place == "head" else 0
    lines += b"Z: " + b"z" * (rest - 1 - used) + b"\r\n"
    end = b"0\r\n\r\n"
    raw = CHUNKED[:-2] + lines + b"\r\n" + end if place == "head" else CHUNKED + b"0\r\n" + lines + b"\r\n"
    if fits:
        assert read(raw, size=size).ended
    else:
        with pytest.raises(Broken, match=f"more than {HEAD_BYTES} bytes of header fields"):
            read(raw, size=size)


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 ", OK + b"X: ", CHUNKED + b"1;", CHUNKED + b"1\r\nx\r\n0\r\nX: "],
    ids=["reason", "field", "chunk extension", "trailer"],
)  # fmt: skip
def test_what_never_ends_is_given_up(start: bytes) -> None:
    with pytest.raises(Broken, match=f"more than {FRAMING_BYTES} bytes of headers or framing"):
        read(start + b"x" * 2 * FRAMING_BYTES, size=1000)


def test_a_length_over_the_limit_is_refused_before_the_body_comes() -> None:
    with pytest.raises(Broken) as refused:
        read(OK + b"Content-Length: 101\r\n\r\n", limit=100)
    assert refused.value.reason is Reason.UPSTREAM_TOO_LARGE


@pytest.mark.parametrize("version", [b"0.9", b"2.0"])
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_other_versions_are_no_answer(version: bytes, size: int) -> None:
    with pytest.raises(Broken, match="another version of HTTP"):
        read(b"HTTP/%b 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n" % version, size=size)


@pytest.mark.parametrize("coding", [b"gzip", b"gzip, chunked", b"identity", b"chunked\r\nTransfer-Encoding: chunked"])
def test_a_transfer_coding_that_was_not_asked_for(coding: bytes) -> None:
    with pytest.raises(Broken, match="transfer coding"):
        read_to_the_end(OK + b"Transfer-Encoding: %b\r\n\r\n1\r\nx\r\n0\r\n\r\n" % coding)


def test_an_error_of_ours_in_a_callback_is_not_the_upstreams() -> None:
    def read_into_nothing() -> None:
        reader = read(b"")
        reader._fields = None  # type: ignore[assignment]  # a compiled reader refuses this very mistake
        reader.feed(OK + b"X: y\r\n\r\n")

    with pytest.raises((AttributeError, TypeError)):
        read_into_nothing()
