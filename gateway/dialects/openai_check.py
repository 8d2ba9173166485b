"""Checking the lines of a file of requests: each by itself, and that no two have the same custom_id."""

from hashlib import blake2b
from typing import NamedTuple

from gateway.batch.headers import shorten
from gateway.batch.job import LineProblem, StoredFile
from gateway.dialects.fields import describe, is_string
from gateway.dialects.openai_create import METHOD, PURPOSE
from gateway.jsontext import NotJson, Raw, check_document, load, members

_DIGEST = 16
"""Bytes of a custom_id that are kept: 50,000 ids fit in 5 MB, whatever their length."""

_REQUIRED = ("custom_id", "method", "url", "body")


class Request(NamedTuple):
    """A line, read: its id and its body as it stands there."""

    custom_id: str
    body: bytes


def read_line(content: bytes) -> Request:
    """A line that was checked."""
    fields = members(content) or {}
    return Request(str(load(fields["custom_id"])), bytes(fields["body"]))


def check_input(file_id: str, file: StoredFile | None) -> list[LineProblem]:
    """What is wrong with a batch's input file before it is read; None if its client has no such file."""
    if file is None:
        return [LineProblem("invalid_request", f"There is no file with the id {shorten(file_id)}.", "file_id")]
    if file.purpose != PURPOSE:
        message = f"The file {shorten(file_id)} has the purpose {shorten(file.purpose)}, a batch needs one with '{PURPOSE}'."
        return [LineProblem("invalid_request", message, "file_id")]
    return []


class LineChecker:
    """Checks the lines of one batch as they are read. `most` lines are allowed, each nested at most `depth` deep."""

    def __init__(self, endpoint: str, most: int, depth: int) -> None:
        self._endpoint = endpoint
        self._most = most
        self._depth = depth
        self._seen: set[bytes] = set()

    def check(self, position: int, content: bytes) -> list[LineProblem]:
        """Everything wrong with a line."""
        try:
            check_document(content, self._depth)
        except NotJson as error:
            detail = str(error).replace("the body", "the line")
            return [LineProblem("invalid_json_line", f"This line is not parseable as valid JSON: {detail}.", None, position)]
        given = members(content)
        if given is None:
            message = f"This line must be a JSON object, got {describe(Raw(content.strip()))}."
            return [LineProblem("invalid_json_line", message, None, position)]
        found: list[LineProblem] = []
        fields = {name: raw for name, raw in given.items() if bytes(raw) != b"null"}
        for name in _REQUIRED:
            if name in fields:
                self._check_field(name, fields[name], position, found)
            else:
                message = f"Missing required parameter: '{name}'."
                found.append(LineProblem("missing_required_parameter", message, name, position))
        return found

    def finish(self, lines: int) -> list[LineProblem]:
        """What is wrong with the whole."""
        if not lines:
            return [LineProblem("empty_file", "The file has no requests.", "file_id")]
        if lines > self._most:
            message = f"The file has {lines} requests, {self._most} are allowed."
            return [LineProblem("too_many_requests_in_file", message, "file_id")]
        return []

    def _check_field(self, name: str, raw: Raw, position: int, found: list[LineProblem]) -> None:
        if name == "body":
            _check_body(raw, position, found)
            return
        if not is_string(raw):
            message = f"Invalid type for '{name}': expected a string, but got {describe(raw)} instead."
            found.append(LineProblem("invalid_request", message, name, position))
            return
        value = str(load(raw))
        if name == "custom_id":
            self._check_id(value, position, found)
        elif name == "method" and value != METHOD:
            message = f"Invalid method {shorten(value)}: the requests of a batch are {METHOD}."
            found.append(LineProblem("invalid_request", message, name, position))
        elif name == "url" and value != self._endpoint:
            message = f"The URL provided for this request does not match the batch endpoint {shorten(self._endpoint)}."
            found.append(LineProblem("invalid_url", message, name, position))

    def _check_id(self, custom_id: str, position: int, found: list[LineProblem]) -> None:
        if not custom_id:
            found.append(LineProblem("invalid_request", "The custom_id is empty.", "custom_id", position))
            return
        digest = blake2b(custom_id.encode(), digest_size=_DIGEST).digest()
        if digest in self._seen:
            message = f"The custom_id {shorten(custom_id)} stands in an earlier line too: each must be unique."
            found.append(LineProblem("duplicate_custom_id", message, "custom_id", position))
        self._seen.add(digest)


def _check_body(raw: Raw, position: int, found: list[LineProblem]) -> None:
    text = bytes(raw)
    if text[:1] != b"{":
        message = f"Invalid type for 'body': expected an object, but got {describe(raw)} instead."
        found.append(LineProblem("invalid_request", message, "body", position))
    elif b'"stream"' in text or b"\\u" in text:
        stream = (members(text) or {}).get("stream")
        if stream is not None and bytes(stream) == b"true":
            message = "Streaming is not supported in the Batch API."
            found.append(LineProblem("streaming_unsupported", message, "body.stream", position))
