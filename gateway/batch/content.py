"""What a body is: JSON that can be embedded as it came, text, bytes, or nothing. Its content type decides, never sniffing."""

import codecs
from enum import Enum
from functools import lru_cache
from typing import Final

from gateway.jsontext import Record, is_json
from gateway.messages import Headers, Reason, Response

CHARSETS = frozenset("utf-8 ascii iso8859-1 iso8859-15 cp1252 utf-16 utf-16-le utf-16-be shift_jis gb18030 euc_kr".split())
"""Charsets, by Python's names, that text is encoded in and decoded from; text in another is passed on as bytes."""

_TEXT_ENDINGS = ("/xml", "+xml", "/javascript", "/x-www-form-urlencoded", "/x-ndjson", "/yaml")


class Kind(Enum):
    """How a body stands in an answer."""

    EMPTY = "empty"
    JSON = "json"
    TEXT = "text"
    BYTES = "bytes"


JSON: Final = Kind.JSON
"""By a name of its own where every operation needs it: before Python 3.12 a look into an Enum takes as long as a call."""


class Content(Record, frozen=True):
    """A body and what it is. `text` is set for TEXT only. `warning`: it said it was JSON and was not."""

    kind: Kind
    body: bytes
    text: str = ""
    warning: Reason | None = None


EMPTY = Content(Kind.EMPTY, b"")


def header(headers: Headers, name: str) -> str | None:
    """The value of a field, several lines joined with `, ` (RFC 9110 section 5.3), or None."""
    values = [value for key, value in headers if key == name]
    return ", ".join(values) if values else None


@lru_cache(maxsize=256)
def is_json_type(content_type: str) -> bool:
    """Whether a content type is application/json or has the +json suffix (RFC 6839 section 3.1)."""
    essence = content_type.partition(";")[0].strip().lower()
    return essence == "application/json" or essence.endswith("+json")


def read_content(response: Response) -> Content:
    """The content of a response."""
    body = response.body
    if not body:
        return EMPTY
    content_type = ""
    for name, value in response.headers:
        if name == "content-type":
            content_type = value
            break
    if is_json_type(content_type):
        if is_json(body):
            return Content(JSON, body)
        text = _decoded(body, "utf-8")
        if text is None:
            return Content(Kind.BYTES, body, warning=Reason.UPSTREAM_INVALID_JSON)
        return Content(Kind.TEXT, body, text, Reason.UPSTREAM_INVALID_JSON)
    if _is_text_type(content_type):
        text = _decoded(body, _charset(content_type))
        if text is not None:
            return Content(Kind.TEXT, body, text)
    return Content(Kind.BYTES, body)


def _is_text_type(content_type: str) -> bool:
    essence = content_type.partition(";")[0].strip().lower()
    return essence.startswith("text/") or essence.endswith(_TEXT_ENDINGS)


def _charset(content_type: str) -> str:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "charset":
            return value.strip().strip('"').lower()
    return "utf-8"


def _decoded(body: bytes, charset: str) -> str | None:
    try:
        if codecs.lookup(charset).name not in CHARSETS:
            return None
        text = body.decode(charset)
        text.encode()
    except (LookupError, UnicodeError, ValueError):
        return None
    return text
