"""The form with which a file is uploaded (multipart/form-data, RFC 7578), read piece by piece.

Its fields may come in any order: Python's client sends the file last, JavaScript's sends it first. What the fields say is
therefore known only when the form has ended.
"""

from collections.abc import AsyncGenerator, AsyncIterator

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from gateway.batch.headers import shorten
from gateway.dialects.openai_create import check_purpose, read_keep
from gateway.dialects.openai_errors import BadParameter, missing
from gateway.errors import Refusal
from gateway.jobs.shelf import Described
from gateway.messages import Reason

OVERHEAD = 64 << 10
"""Bytes that a form may have beside its file."""

_FILE = "file"
_FIELDS = frozenset({"purpose", "expires_after[anchor]", "expires_after[seconds]"})
_LONGEST_FIELD = 1024
_MOST_PARTS = 16
_LONGEST_BOUNDARY = 70
_LONGEST_NAME = 255


class UploadForm:
    """One upload. The file has at most `longest` bytes; `any_filename` as in the settings. Each method raises a Refusal."""

    def __init__(self, content_type: str, longest: int, any_filename: bool) -> None:
        self._parser = PushMultipartParser(_read_boundary(content_type), max_segment_count=_MOST_PARTS)
        self._longest = longest
        self._any_filename = any_filename
        self._fields: dict[str, str] = {}
        self._filename: str | None = None

    async def file(self, stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """The bytes of the file in the form that `stream` has. It ends when the form does."""
        name, field, size = "", b"", 0
        async for piece in stream:
            try:
                for event in self._parser.parse(piece):
                    if isinstance(event, MultipartSegment):
                        name, field = self._begin(event), b""
                    elif event is None and name != _FILE:
                        self._fields[name] = _decode(name, field)
                    elif event is not None and name == _FILE:
                        size += len(event)
                        if size > self._longest:
                            raise Refusal(Reason.PAYLOAD_TOO_LARGE, f"the file is larger than {self._longest} bytes")
                        yield bytes(event)
                    elif event is not None:
                        field += event
                        if len(field) > _LONGEST_FIELD:
                            raise BadParameter(f"Invalid '{name}': it is too long.", name, "string_above_max_length")
            except MultipartError as error:
                raise _malformed(error) from None
        try:
            self._parser.close()
        except MultipartError as error:
            raise _malformed(error) from None

    def describe(self) -> Described:
        """What the fields say of the file, once the form has ended."""
        if self._filename is None:
            raise missing(_FILE)
        purpose = check_purpose(self._fields.get("purpose"), self._filename, self._any_filename)
        keep = read_keep(self._fields.get("expires_after[anchor]"), self._fields.get("expires_after[seconds]"))
        return Described(purpose, self._filename, keep)

    def _begin(self, part: MultipartSegment) -> str:
        """The name of a part, which must be one that there is, once."""
        name: str = part.name
        if name in self._fields or (name == _FILE and self._filename is not None):
            raise BadParameter(f"Duplicate parameter: '{name}'.", name, "invalid_value")
        if name == _FILE:
            self._filename = _read_filename(part.filename)
        elif name not in _FIELDS:
            raise BadParameter(f"Unknown parameter: {shorten(name)}.", name[:_LONGEST_NAME], "unknown_parameter")
        return name


def _read_boundary(content_type: str) -> str:
    media_type, options = parse_options_header(content_type)
    boundary = str(options.get("boundary", ""))
    if media_type != "multipart/form-data":
        found = shorten(media_type) if media_type else "there is none"
        raise Refusal(Reason.UNSUPPORTED_MEDIA_TYPE, f"content-type must be multipart/form-data, {found}")
    if not 0 < len(boundary) <= _LONGEST_BOUNDARY or not boundary.isascii():
        detail = f"multipart/form-data needs a boundary of 1 to {_LONGEST_BOUNDARY} characters (RFC 2046 section 5.1.1)"
        raise Refusal(Reason.UNSUPPORTED_MEDIA_TYPE, detail)
    return boundary


def _read_filename(filename: str | None) -> str:
    """The name without its folders. OpenAI's clients call bytes without a name `upload`."""
    name: str = (filename or "upload").replace("\\", "/").rpartition("/")[2]
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        detail = f"Invalid 'file': its name must have 1 to {_LONGEST_NAME} printable characters."
        raise BadParameter(detail, _FILE, "invalid_value")
    return name


def _decode(name: str, field: bytes) -> str:
    try:
        return field.decode()
    except UnicodeDecodeError:
        raise BadParameter(f"Invalid '{name}': it is not UTF-8.", name, "invalid_value") from None


def _malformed(error: MultipartError) -> Refusal:
    said = str(next(iter(error.args), "it cannot be read")).lower()  # after it an error of Python's may stand
    return Refusal(Reason.INVALID_BODY, f"the body is not valid multipart/form-data: {said}")
