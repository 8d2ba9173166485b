"""Reading answers: bytes in, a head and a body out. No socket, no clock.

    begin(method)  before each request
    feed(data)     with what arrived; `ended` says whether the answer is complete
    finish()       when the upstream has closed its side
    take_body()    once it has ended

Rules of RFC 9112 that llhttp leaves to its user: an answer to HEAD has no body whatever its fields say, one without length or
chunks ends with the connection (both section 6.3), interim answers are skipped (RFC 9110 section 15.2), nobody asked for a
transfer coding other than chunked (section 7.4), and bytes after the exact end make the connection unusable. Blank lines
between two answers are skipped.
"""

from httptools import HttpParserError, HttpResponseParser

from gateway.messages import Reason
from gateway.upstreams.decoding import Body
from gateway.upstreams.wire.broken import Broken
from gateway.upstreams.wire.heads import Head, Heads
from gateway.upstreams.wire.rules import (
    HEAD_BYTES,
    HEAD_FIELDS,
    RawHeaders,
    check_size,
    choose_coding,
    has,
    is_framed,
    keeps_alive,
)

FRAMING_BYTES = 4 * HEAD_BYTES
"""Bytes in a row that bring neither a whole head nor any body: an unfinished head, chunk extensions, trailers."""


class AnswerReader:
    """Reads the answers on one connection, one after another. `limit` is the bytes of a body, as received and as decoded.

    `begun`: bytes have arrived. `status`: 0 until the head is there. `keep_alive`: what the upstream means to do with the
    connection, once the answer has ended. `surplus`: something came after the end. `head`: one that was read before.
    """

    __slots__ = (
        "_body",
        "_chunk",
        "_fields",
        "_heads",
        "_in_parts",
        "_is_http_1",
        "_is_small",
        "_limit",
        "_of_head",
        "_parser",
        "_sized",
        "_still",
        "_tail",
        "begun",
        "ended",
        "head",
        "headers",
        "keep_alive",
        "status",
        "surplus",
    )

    def __init__(self, limit: int, heads: Heads | None = None) -> None:
        self._limit = limit
        self._heads = heads or Heads()
        self._parser = HttpResponseParser(self)
        self._tail = b""
        self.headers: RawHeaders = []
        self.keep_alive = False
        self.begin("GET")

    def begin(self, method: str) -> None:
        """The next answer is to a request with this method."""
        self._of_head = method == "HEAD"
        self._fields: RawHeaders = []
        self._chunk = b""
        self._body: Body | None = None
        self.head: Head | None = None
        self._in_parts = self.begun = self.ended = self.surplus = False
        self.status = 0

    def feed(self, data: bytes) -> None:
        """Take what arrived. Broken if it is no answer, or one that is too large."""
        size = len(data)
        if self.begun or size > FRAMING_BYTES or self._of_head:
            self._feed_part(data)
            return
        end = data.find(b"\r\n\r\n") + 4
        raw = data[:end]
        head = self._heads.known.get(raw)
        if head is not None and head.length == size - end <= self._limit:
            head.uses += 1
            self.head = head
            self.status = head.status
            self.headers = head.headers
            self._chunk = data[end:]
            self.begun = self.ended = self.keep_alive = True
            return
        self._feed_part(data)
        if self.ended and self.keep_alive and size - end == len(self._chunk) and not self.surplus:
            self._heads.learn(raw, self.status, self.headers, size - end)

    def finish(self) -> bool:
        """The upstream has closed its side. Whether the answer is complete: one without length or chunks ends like that."""
        if self.status and not self.ended and not is_framed(self.headers):
            self.ended = True
        return self.ended

    def take_body(self) -> bytes:
        """The body, decoded. Broken if it cannot be."""
        body = self._body
        if self.head is not None:
            return self._chunk
        if body is None:
            # One without any bytes may still have been chunked, and is judged as if its head had come before its last chunk.
            if not self._chunk and not self._is_chunked_to_the_end():
                return b""
            for name, _ in self.headers:
                if len(name) in _LENGTHS:  # told by no more than that whether there may be a coding
                    body = self._open_body()
                    break
            else:
                return self._chunk
        decoded = body.finish()
        if isinstance(decoded, Reason):
            raise self._unreadable(decoded)
        return decoded

    # What httptools calls. It calls what there is, and every call costs: no on_status, on_chunk_header, on_chunk_complete.

    def on_message_begin(self) -> None:
        """A message begins; after the end of the answer it is one too many."""
        if self.ended:
            self.surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header or trailer field."""
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        if self.ended:
            return
        status = self._parser.get_status_code()
        if not self._is_http_1 and self._parser.get_http_version() not in ("1.0", "1.1"):
            raise Broken(Reason.UPSTREAM_PROTOCOL, "answered in another version of HTTP than 1.1 or 1.0")
        if not 200 <= status <= 599:
            if status == 101 or not 100 <= status <= 199:
                raise Broken(Reason.UPSTREAM_PROTOCOL, f"answered with the status {status}, which ends no request")
            return
        self.status = status
        self.headers = self._fields
        self._fields = []
        if not self._is_small or len(self.headers) > HEAD_FIELDS:
            check_size(self.headers)
        if self._of_head:
            self.ended = True
            self.keep_alive = keeps_alive(self.headers, self._parser.get_http_version())

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        if self.ended:
            self.surplus = True
        elif self._chunk:
            self._add(self._body or self._open_body(), data)
        elif len(data) > self._limit:
            raise self._unreadable(Reason.UPSTREAM_TOO_LARGE)
        else:
            self._chunk = data  # most often the whole: no copy is made of it

    def on_message_complete(self) -> None:
        """The message is complete."""
        if self.ended:
            if self._of_head and has(self.headers, b"transfer-encoding"):
                self.surplus = True  # there was a last chunk
        elif not self.status:  # it was an interim answer
            self._fields = []
            self._is_http_1 = self._in_parts = False
        else:
            if self._fields:
                check_size(self._fields)
            self.ended = True
            self.keep_alive = self._parser.should_keep_alive()

    def _feed_part(self, data: bytes | memoryview) -> None:
        size = len(data)
        if not self.begun:
            self.begun = True
            self._is_http_1 = data[:7] == b"HTTP/1."
            self._is_small = size <= HEAD_BYTES
        if size > FRAMING_BYTES:
            self._feed_in_slices(memoryview(data))
            return
        try:
            self._parser.feed_data(data)
        except HttpParserError as error:
            self._explain(error)
        if self._of_head:
            self._end_head(bytes(data[-4:]))
        if not self.ended:
            self._look_at_progress(size)

    def _feed_in_slices(self, data: memoryview) -> None:
        """So that it makes next to no difference how many bytes came at a time."""
        for start in range(0, len(data), FRAMING_BYTES):
            if self.ended:
                self.surplus = True
                return
            self._feed_part(data[start : start + FRAMING_BYTES])

    def _explain(self, error: HttpParserError) -> None:
        """An error after the end of the answer is only about what came then."""
        cause = error.__context__
        if cause is not None and not isinstance(cause, HttpParserError):
            raise cause from None  # raised in a callback
        if not self.ended:
            raise Broken(Reason.UPSTREAM_PROTOCOL, "answered with something that is not valid HTTP/1.1") from None
        self.surplus = True

    def _look_at_progress(self, received: int) -> None:
        """Between the parts of an answer that came in several."""
        if not self._in_parts:
            self._in_parts = True
            self._is_small = False
            self._still = 0
            self._sized = -1
        if self.status:
            if self._sized < 0:
                self._look_at_length()
            sized = self._body.received if self._body is not None else len(self._chunk)
            if sized != self._sized:
                self._sized = sized
                self._still = 0
                return
        self._still += received
        if self._still > FRAMING_BYTES:
            raise Broken(Reason.UPSTREAM_PROTOCOL, f"answered with more than {FRAMING_BYTES} bytes of headers or framing")

    def _look_at_length(self) -> None:
        """What the head says about the body may be enough to refuse it."""
        choose_coding(self.headers)
        for name, value in self.headers:
            if name.lower() == b"content-length" and int(value) > self._limit:
                raise self._unreadable(Reason.UPSTREAM_TOO_LARGE)

    def _end_head(self, last: bytes) -> None:
        """llhttp would wait for the body that an answer to HEAD does not have: it is replaced."""
        self._tail = (self._tail + last)[-4:]
        if self.ended:
            self.surplus = self.surplus or self._tail != b"\r\n\r\n"
            self._tail = b""
            self._parser = HttpResponseParser(self)

    def _open_body(self) -> Body:
        """From the first part on, where that is not the whole, or is coded."""
        self._body = body = Body(choose_coding(self.headers), self._limit)
        self._add(body, self._chunk)
        return body

    def _add(self, body: Body, data: bytes) -> None:
        problem = body.feed(data)
        if problem is not None:
            raise self._unreadable(problem)

    def _unreadable(self, reason: Reason) -> Broken:
        if reason is Reason.UPSTREAM_TOO_LARGE:
            return Broken(reason, f"answered with more than {self._limit} bytes")
        return Broken(reason, "answered with a body that is not valid in its content coding")

    def _is_chunked_to_the_end(self) -> bool:
        """Whether a last chunk was read: not where there is no body whatever the head says."""
        return not self._of_head and self.status not in {204, 304} and has(self.headers, b"transfer-encoding")


_LENGTHS = frozenset({len(b"content-encoding"), len(b"transfer-encoding")})
