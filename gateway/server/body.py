"""The body of a request: what it may be, how much of it, and out of its content encoding. Pure; nothing here reads sockets."""

import zlib
from functools import lru_cache

from gateway.errors import Refusal
from gateway.messages import Reason

_ENCODINGS = {"": "", "identity": "", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
_ACCEPTED = (("accept-encoding", "gzip, deflate"),)


@lru_cache(maxsize=64)  # clients say it in few ways; what is refused is not kept
def check_type(content_type: str) -> None:
    """Refuse a Content-Type that is not JSON in UTF-8. It keeps out forms posted by other sites: they cannot send it."""
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if media_type != "application/json":
        found = f"got {media_type[:64]!r}" if media_type else "there is none"
        raise Refusal(Reason.UNSUPPORTED_MEDIA_TYPE, f"content-type must be application/json, {found}")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in {"utf-8", "utf8"}:
            raise Refusal(Reason.UNSUPPORTED_MEDIA_TYPE, "the charset of application/json must be utf-8 (RFC 8259 section 8.1)")


def read_encoding(content_encoding: str) -> str:
    """The one content encoding of a body: gzip, deflate or nothing. Refused: others, and several on top of each other."""
    encoding = _ENCODINGS.get(content_encoding.strip().lower())
    if encoding is None:
        raise Refusal(Reason.UNSUPPORTED_ENCODING, "content-encoding must be gzip, deflate or absent", headers=_ACCEPTED)
    return encoding


def check_size(size: int, limit: int) -> None:
    """Refuse more than `limit` bytes."""
    if size > limit:
        raise Refusal(Reason.PAYLOAD_TOO_LARGE, f"the body is larger than {limit} bytes")


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """`body` out of gzip (one member) or deflate (with zlib's wrapping or without), at most `limit` bytes of it."""
    if not encoding:
        return body
    bits = 16 + zlib.MAX_WBITS if encoding == "gzip" else zlib.MAX_WBITS
    if encoding == "deflate" and not _is_zlib(body):
        bits = -zlib.MAX_WBITS
    inflater = zlib.decompressobj(bits)
    try:
        out = inflater.decompress(body, limit + 1)
    except zlib.error:
        raise _invalid(encoding) from None
    check_size(len(out), limit)
    # Several members in a row are allowed by RFC 1952 and sent by nobody; thousands of empty ones would cost seconds.
    if not inflater.eof or inflater.unused_data:
        raise _invalid(encoding)
    return out


def _invalid(encoding: str) -> Refusal:
    return Refusal(Reason.BAD_REQUEST, f"the body is not valid {encoding}")


def _is_zlib(body: bytes) -> bool:
    """Whether it starts with a zlib header (RFC 1950 section 2.2); some clients call the bare stream deflate as well."""
    return len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
