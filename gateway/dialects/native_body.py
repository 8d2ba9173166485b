"""The body of a native operation, and the content type it is sent with."""

from base64 import b64decode
from binascii import Error as Base64Error

from gateway.batch.compile import Compiler
from gateway.batch.content import is_json_type
from gateway.batch.operation import Body, BytesBody, HeaderChanges, JsonBody, TextBody
from gateway.batch.template import literal
from gateway.dialects.fields import Fields, describe, is_string
from gateway.errors import Problem
from gateway.jsontext import NotJson, Raw, check_document, load
from gateway.messages import Reason

_NOT_LITERAL = "${}"


def read_body(
    fields: Fields, compiler: Compiler, headers: HeaderChanges, inherited: str | None, json_in_strings: bool
) -> tuple[Body | None, str | None]:
    """The body and its content type, which is ours to choose only where no header says it. `inherited` is the batch's own.

    `json_in_strings`: a string that holds a JSON object or array is that JSON.
    """
    encoding = fields.choice("bodyEncoding", ("base64",))
    raw = fields.raw.get("body")
    if raw is None or bytes(raw) == b"null":
        return None, None
    content_type = content_type_after(headers, inherited)
    if encoding == "base64":
        return _bytes_body(fields, raw), content_type or "application/octet-stream"
    if content_type == _NOT_LITERAL:
        detail = "content-type decides how the body is sent, so it cannot hold a reference"
        fields.wrong("headers", detail, Reason.INVALID_REFERENCE)
        return None, None
    if content_type is None or is_json_type(content_type):
        return _json_body(fields, raw, compiler, json_in_strings), content_type or "application/json"
    text = load(raw)
    if not isinstance(text, str):
        detail = f"with content-type {content_type} the body must be a string, got {describe(raw)}"
        fields.wrong("body", detail, Reason.INVALID_BODY)
        return None, None
    pointer = fields.pointer("body")
    return TextBody(compiler.text(text, pointer), compiler.charset(content_type, pointer)), content_type


def check_bodiless(fields: Fields, method: str) -> None:
    """A body where the method takes none is a problem."""
    raw = fields.raw.get("body")
    if method in ("GET", "HEAD") and raw is not None and bytes(raw) != b"null":
        fields.wrong("body", f"{method} takes no body", Reason.INVALID_BODY)


def content_type_after(headers: HeaderChanges, inherited: str | None) -> str | None:
    """The content type after header overrides, None if there is none; one that holds a reference is unlike any other."""
    for name, parts in headers:
        if name == "content-type":
            text = None if parts is None else literal(parts)
            return _NOT_LITERAL if parts is not None and text is None else text
    return inherited


def _json_body(fields: Fields, raw: Raw, compiler: Compiler, json_in_strings: bool) -> JsonBody:
    pointer = fields.pointer("body")
    inner = _json_in_string(raw, compiler.rules.limits.depth) if json_in_strings else None
    if inner is None:
        return JsonBody(compiler.json_body(raw, pointer))
    # Pointers lead into the envelope as sent: there, all of this body is one string.
    inside = Compiler(compiler.rules, [])
    parts = inside.json_body(inner, pointer)
    compiler.references.extend((pointer, reference) for _, reference in inside.references)
    compiler.problems.extend(Problem(pointer, problem.reason, problem.detail) for problem in inside.problems)
    return JsonBody(parts)


def _json_in_string(raw: Raw, depth: int) -> bytes | None:
    """The JSON object or array that a string holds, or None."""
    inner = load(raw).strip(" \t\r\n").encode() if is_string(raw) else b""
    if inner[:1] not in {b"{", b"["}:
        return None
    try:
        check_document(inner, depth)
    except NotJson:
        return None
    return bytes(inner)


def _bytes_body(fields: Fields, raw: Raw) -> BytesBody | None:
    try:
        return BytesBody(b64decode(load(raw), validate=True))
    except (Base64Error, ValueError, TypeError):
        detail = "with bodyEncoding base64 the body must be a base64 string (RFC 4648 section 4)"
        fields.wrong("body", detail, Reason.INVALID_BODY)
        return None
