"""The body of a Graph request: JSON as it is, anything else as base64.

Graph documents it so, and its clients send text, and JSON that is no object, in base64 too.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from functools import partial

from gateway.batch.compile import Compiler
from gateway.batch.content import is_json_type
from gateway.batch.operation import Body, BytesBody, HeaderChanges, JsonBody
from gateway.dialects.fields import Fields, describe, is_string
from gateway.dialects.graph_references import Ids, read_whole
from gateway.dialects.native_body import content_type_after
from gateway.jsontext import NotJson, Raw, check_document, load
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
        whole = partial(read_whole, ids=ids, compiler=compiler)
        body = JsonBody((listed,) if listed else compiler.json_body(raw, fields.pointer("body"), whole))
        return body, content_type or "application/json"
    content = _decode_base64(load(raw)) if is_string(raw) else None
    if content is None:
        found = "a string that is not" if is_string(raw) else describe(raw)
        detail = f"with content-type {content_type} the body must be a base64 string (RFC 4648 sections 4 and 5), got {found}"
        fields.wrong("body", detail, Reason.INVALID_BODY)
        return None, None
    return BytesBody(content), content_type


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
