"""The body of an answer: content codings undone (RFC 9110 section 8.4) as it comes in, never more than the limit in memory."""

import zlib

from gateway.messages import Reason

ACCEPTED = "gzip, deflate"
"""What Accept-Encoding offers: exactly what is undone here."""

MEMBERS = 64
"""A gzip stream may be several, one after the other (RFC 1952 section 2.2); empty ones cost time and no bytes."""


def read_coding(fields: list[str]) -> str | None:
    """The one coding to undo, "identity" if there is none; None if it is unknown or there are several, one upon the other."""
    codings = [text.strip().lower() for field in fields for text in field.split(",")]
    codings = [coding for coding in codings if coding not in {"", "identity"}]
    match codings:
        case []:
            return "identity"
        case ["gzip" | "x-gzip"]:
            return "gzip"
        case ["deflate"]:
            return "deflate"
        case _:
            return None


class Body:
    """Collects one body of at most `limit` bytes, both as received and as decoded. A Reason says why there can be none."""

    def __init__(self, coding: str, limit: int) -> None:
        self._coding = coding
        self._limit = limit
        self._received = 0
        self._size = 0
        self._parts: list[bytes] = []
        self._inflater = zlib.decompressobj(wbits=31) if coding == "gzip" else None
        self._members = 0

    def feed(self, received: bytes) -> Reason | None:
        """Take the next bytes."""
        self._received += len(received)
        if self._received > self._limit:
            return Reason.UPSTREAM_TOO_LARGE
        if self._coding == "identity":
            self._parts.append(received)
            return None
        try:
            return self._inflate(received)
        except zlib.error:
            return Reason.UPSTREAM_ENCODING

    def finish(self) -> bytes | Reason:
        """The whole decoded body; a stream that was cut short is not one. No bytes at all are an empty body in any coding."""
        if self._coding != "identity" and self._received and not (self._inflater and self._inflater.eof):
            return Reason.UPSTREAM_ENCODING
        return b"".join(self._parts)

    def _inflate(self, received: bytes) -> Reason | None:
        while received:
            if self._inflater is None:
                self._inflater = zlib.decompressobj(wbits=15 if _has_zlib_header(received) else -15)
            elif self._inflater.eof:
                self._members += 1
                if self._coding != "gzip" or self._members == MEMBERS:
                    return Reason.UPSTREAM_ENCODING
                self._inflater = zlib.decompressobj(wbits=31)
            # One byte more than is left, because a full measure does not tell whether there was more; 0 would mean "no limit".
            part = self._inflater.decompress(received, self._limit - self._size + 1)
            self._size += len(part)
            if self._size > self._limit:
                return Reason.UPSTREAM_TOO_LARGE
            self._parts.append(part)
            received = self._inflater.unused_data
        return None


def _has_zlib_header(received: bytes) -> bool:
    """`deflate` is a zlib stream by the standard, and a bare one by old servers: the low half of the first byte tells."""
    return received[0] & 0x0F == 8
