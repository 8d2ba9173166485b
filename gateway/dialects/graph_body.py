"""The body of a Graph request: JSON as it is, anything else as base64.

Graph documents it so, and its clients send text, and JSON that is no object, in base64 too.
"""

from base64 import b64decode
from binascii import Error as Base64Error

from gateway.batch.compile import Compiler, escape
from gateway.batch.content import is_json_type
from gateway.batch.operation import Body, BytesBody, HeaderChanges, JsonBody
from gateway.batch.template import Hole, JsonParts
from gateway.dialects.fields import Fields, describe, is_string
from gateway.dialects.graph_references import Ids, read_whole
from gateway.dialects.native_body import content_type_after
from gateway.jsontext import NotJson, Raw, check_document, dump, elements, load, members
from gateway.messages import Reason

_URL_SAFE = str.maketrans("-_", "+/")


def read_graph_body(fields: Fields, compiler: Compiler, headers: HeaderChanges, ids: Ids) -> tuple[Body | None, str | None]:
    """The body and its content type, which is JSON where no header says it."""
    raw = fields.raw.get("body")
    if raw is None:
        return None, None
    content_type = content_type_after(headers, None)
    if content_type is not None and "${" in content_type:
        detail = "content-type decides how the body is sent, so it cannot hold a reference"
        fields.wrong("headers", detail, Reason.INVALID_REFERENCE)
        return None, None
    if content_type is None or is_json_type(content_type):
        listed = _list_in_base64(raw, compiler.rules.limits.depth)
        body = JsonBody((listed,) if listed else read_json(raw, fields.pointer("body"), ids, compiler))
        return body, content_type or "application/json"
    content = _decode_base64(load(raw)) if is_string(raw) else None
    if content is None:
        found = "a string that is not" if is_string(raw) else describe(raw)
        detail = f"with content-type {content_type} the body must be a base64 string (RFC 4648 sections 4 and 5), got {found}"
        fields.wrong("body", detail, Reason.INVALID_BODY)
        return None, None
    return BytesBody(content), content_type


def read_json(raw: bytes | Raw, pointer: str, ids: Ids, compiler: Compiler) -> JsonParts:
    """A JSON value as a template. Without a reference or an escape it stays the bytes it came as."""
    text = bytes(raw)
    parts: list[bytes | Hole] = []
    return tuple(parts) if _add(text, pointer, ids, compiler, parts) else (text,)


def _add(text: bytes, pointer: str, ids: Ids, compiler: Compiler, parts: list[bytes | Hole]) -> bool:
    """Add the parts of a value. False if they are only its own text again."""
    if b"$" not in text and b"\\u" not in text:  # nowhere to hold a reference
        parts.append(text)
        return False
    changed = False
    match text[:1]:
        case b"{":
            opening = b"{"
            for key, member in (members(text) or {}).items():
                parts.append(opening + dump(key) + b":")
                changed |= _add(bytes(member), f"{pointer}/{escape(key)}", ids, compiler, parts)
                opening = b","
            parts.append(b"}")
        case b"[":
            opening = b"["
            for index, element in enumerate(elements(text) or ()):
                parts.append(opening)
                changed |= _add(bytes(element), f"{pointer}/{index}", ids, compiler, parts)
                opening = b","
            parts.append(b"]")
        case _:
            reference = read_whole(load(text), pointer, ids, compiler)
            found = compiler.json_body(text, pointer) if reference is None else (Hole(reference, typed=True),)
            parts.extend(found)
            changed = found != (text,)
    return changed


def _list_in_base64(raw: Raw, depth: int) -> bytes | None:
    """The JSON list that a string holds in base64: the Python client knows no other way to send one."""
    content = _decode_base64(load(raw)) if is_string(raw) else None
    if content is None or content[:1] != b"[":
        return None
    try:
        check_document(content, depth)
    except NotJson:
        return None
    return content


def _decode_base64(text: str) -> bytes | None:
    """What a string holds in either alphabet, padded or not."""
    text = text.rstrip("=").translate(_URL_SAFE)
    try:
        return b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (Base64Error, ValueError):
        return None
