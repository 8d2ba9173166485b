"""What the result files of a batch say of one request: a line of JSON each."""

from base64 import b64encode

from gateway.batch.content import JSON, Content, Kind, header
from gateway.errors import title_of
from gateway.jsontext import dump
from gateway.messages import Failure, Reason, Response

_CODES = {Reason.JOB_CANCELLED: "batch_cancelled", Reason.JOB_EXPIRED: "batch_expired"}
"""Codes that OpenAI has. Any other reason is its own, with `_` for `-`."""


def name_request(batch_id: str, number: int) -> str:
    """The id of a batch's line, the `number`-th from 0: the same however often it is spelled."""
    return f"batch_req_{batch_id.removeprefix('batch_')}_{number}"


def spell_response(name: str, custom_id: str, response: Response, content: Content, request_id: str) -> bytes:
    """The record of an answer. `request_id` is the gateway's, for an upstream that tells none of its own."""
    told = header(response.headers, "x-request-id") or request_id
    return b'{"id":%b,"custom_id":%b,"response":{"status_code":%d,"request_id":%b,"body":%b},"error":null}\n' % (
        dump(name),
        dump(custom_id),
        response.status,
        dump(told),
        spell_body(content),
    )


def spell_failure(name: str, custom_id: str, failure: Failure) -> bytes:
    """The record of a request that has no answer."""
    code = _CODES.get(failure.reason) or failure.reason.value.replace("-", "_")
    error = {"code": code, "message": failure.detail or title_of(failure.reason)}
    return b'{"id":%b,"custom_id":%b,"response":null,"error":%b}\n' % (dump(name), dump(custom_id), dump(error))


def spell_body(content: Content) -> bytes:
    """A body as a JSON value on one line: JSON as it came, text as a string, other bytes as one in base64, none as null."""
    if content.kind is JSON:
        # Line ends stand only between the tokens of valid JSON (RFC 8259 section 7).
        return content.body.replace(b"\n", b" ").replace(b"\r", b" ")
    match content.kind:
        case Kind.TEXT:
            return dump(content.text)
        case Kind.BYTES:
            return dump(b64encode(content.body).decode())
        case _:
            return b"null"
