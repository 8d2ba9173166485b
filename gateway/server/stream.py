"""A body that is written while it is made: of a length told before, or in chunks (RFC 9112 section 7.1), for HTTP/1.0 up to the
end of the connection."""

from aiohttp import HttpVersion11, web

from gateway.dialects.dialect import Encoded
from gateway.server.writing import GOING_ON, LAST, SLICE, Written, spell_head


class StreamedBody:
    """The Sink of one answer. Its head goes out with the first write; `size` is the bytes of the body so far."""

    def __init__(
        self, request: web.BaseRequest, answer: Encoded, request_id: str, name: str, is_last: bool, length: int | None = None
    ) -> None:
        self.size = 0
        self._length = length
        self._writer = request.writer
        self._is_chunked = length is None and request.version == HttpVersion11
        self._goes_on = (self._is_chunked or length is not None) and bool(request.keep_alive) and not is_last
        framing = "" if length is None else f"Content-Length: {length}\r\n"
        framing = "Transfer-Encoding: chunked\r\n" if self._is_chunked else framing
        self._head = spell_head(request.version, answer, framing, request_id, name, self._goes_on)

    async def write(self, piece: bytes) -> None:
        """Send some of it; returns when the socket, or what little is buffered before it, has room for more."""
        for start in range(0, len(piece) or 1, SLICE):
            await self._writer.write(self._frame(piece[start : start + SLICE]))
            await self._writer.drain()

    async def end(self, piece: bytes, is_last: bool) -> Written:
        """Send the last of it. `is_last` ends the connection, although the head may have promised that it goes on."""
        slices = [piece[start : start + SLICE] for start in range(0, len(piece), SLICE)] or [b""]
        for one in slices[:-1]:
            await self.write(one)
        await self._writer.write_eof(self._frame(slices[-1]) + (b"0\r\n\r\n" if self._is_chunked else b""))
        is_whole = self._length is None or self.size == self._length
        return GOING_ON if self._goes_on and not is_last and is_whole else LAST

    def _frame(self, piece: bytes) -> bytes:
        head, self._head = self._head, b""
        self.size += len(piece)
        if not self._is_chunked or not piece:
            return head + piece
        return b"%b%x\r\n%b\r\n" % (head, len(piece), piece)
