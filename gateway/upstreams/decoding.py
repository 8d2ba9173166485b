"""The body of an answer: content codings undone (RFC 9110 section 8.4) as it comes in, never more than the limit in memory."""

from collections.abc import Container

from gateway.messages import Reason
from gateway.upstreams.codings import DECODERS, DECODING_ERRORS, Decoder

MEMBERS = 64
"""A gzip stream may be several, one after the other (RFC 1952 section 2.2), and so may zstd's; empty ones cost time and no
bytes."""

IN_MEMBERS = frozenset({"gzip", "zstd"})


def read_coding(fields: list[str], known: Container[str] = DECODERS) -> str | None:
    """The one coding to undo, "identity" if there is none; None if it is unknown or there are several, one upon the other."""
    codings = [text.strip().lower() for field in fields for text in field.split(",")]
    codings = [coding for coding in codings if coding not in {"", "identity"}]
    match codings:
        case []:
            return "identity"
        case ["x-gzip"]:
            return "gzip"
        case [coding] if coding in known:
            return coding
        case _:
            return None


class Body:
    """Collects one body of at most `limit` bytes, both as received and as decoded. A Reason says why there can be none."""

    def __init__(self, coding: str, limit: int) -> None:
        self.received = 0
        self._coding = coding
        self._limit = limit
        self._size = 0
        self._decoded = bytearray()  # not a list of parts: a part of two bytes would take fifty times that
        self._decoder: Decoder | None = None
        self._members = 0

    def feed(self, received: bytes) -> Reason | None:
        """Take the next bytes."""
        self.received += len(received)
        if self.received > self._limit:
            return Reason.UPSTREAM_TOO_LARGE
        if self._coding == "identity":
            self._decoded += received
            return None
        try:
            return self._decode(received)
        except DECODING_ERRORS:
            return Reason.UPSTREAM_ENCODING

    def finish(self) -> bytes | Reason:
        """The whole decoded body; a stream that was cut short is not one. No bytes at all are an empty body in any coding."""
        if self._coding != "identity" and self.received and not (self._decoder and self._decoder.eof):
            return Reason.UPSTREAM_ENCODING
        return bytes(self._decoded)

    def _decode(self, received: bytes) -> Reason | None:
        while received:
            if self._decoder is None:
                self._decoder = DECODERS[self._coding](received)
            elif self._decoder.eof:
                self._members += 1
                if self._coding not in IN_MEMBERS or self._members == MEMBERS:
                    return Reason.UPSTREAM_ENCODING
                self._decoder = DECODERS[self._coding](received)
            # One byte more than is left, because a full measure does not tell whether there was more; 0 would mean "no limit".
            part = self._decoder.decompress(received, self._limit - self._size + 1)
            self._size += len(part)
            if self._size > self._limit:
                return Reason.UPSTREAM_TOO_LARGE
            self._decoded += part
            received = self._decoder.unused_data
        return None
