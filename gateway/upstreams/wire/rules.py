"""What the fields of an answer's head say about the answer itself, as pure functions (RFC 9112 sections 6.3, 7.4 and 9.3)."""

from gateway.messages import Reason
from gateway.upstreams.decoding import read_coding
from gateway.upstreams.wire.broken import Broken

HEAD_BYTES = 16 << 10
HEAD_FIELDS = 128
"""What the head of an answer may have, names and values, and again its trailer; llhttp itself has no limit."""

RawHeaders = list[tuple[bytes, bytes]]


def has(headers: RawHeaders, wanted: bytes) -> bool:
    """Whether there is a field with this lower-case name."""
    return any(name.lower() == wanted for name, _ in headers)


def is_framed(headers: RawHeaders) -> bool:
    """Whether the body ends by itself, and not with the connection."""
    return has(headers, b"content-length") or has(headers, b"transfer-encoding")


def keeps_alive(headers: RawHeaders, version: str) -> bool:
    """Whether the upstream means to keep the connection. For HEAD: llhttp says no wherever a body would end with it."""
    options = {
        option.strip().lower() for name, value in headers if name.lower() == b"connection" for option in value.split(b",")
    }
    return b"close" not in options and (b"keep-alive" in options or version == "1.1")


def choose_coding(headers: RawHeaders) -> str:
    """The content coding to undo. Broken if there is one, of content or transfer, that nobody asked for."""
    content: list[str] = []
    transfer: list[bytes] = []
    for name, value in headers:
        lower = name.lower()
        if lower == b"content-encoding":
            content.append(value.decode("latin-1"))
        elif lower == b"transfer-encoding":
            transfer.append(value.strip(b" \t").lower())
    if transfer and transfer != [b"chunked"]:
        raise Broken(Reason.UPSTREAM_PROTOCOL, "answered in a transfer coding that it was not asked for")
    coding = read_coding(content)
    if coding is None:
        raise Broken(Reason.UPSTREAM_ENCODING, "answered in a content coding that it was not offered")
    return coding


def check_size(fields: RawHeaders) -> None:
    """Broken if a head, or a trailer, has too many or too large fields."""
    if len(fields) > HEAD_FIELDS:
        raise Broken(Reason.UPSTREAM_PROTOCOL, f"answered with more than {HEAD_FIELDS} header fields")
    if sum([len(name) + len(value) for name, value in fields]) > HEAD_BYTES:
        raise Broken(Reason.UPSTREAM_PROTOCOL, f"answered with more than {HEAD_BYTES} bytes of header fields")
