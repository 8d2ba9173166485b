"""The native envelope as the JSON decoder is to see it, and the native answer as the encoder is.

Apart from what reads and fills them, because a class that is compiled to C loses the annotations that a decoder goes by.
"""

from typing import Any

from gateway.jsontext import UNSET, Given, Raw, Record


class PlainOperation(Record, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An operation with what most of them have. Headers and body are not looked into."""

    path: str
    method: str = "GET"
    name: Given[str] = UNSET
    headers: Given[Raw] = UNSET
    body: Given[Raw] = UNSET
    depends_on: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    for_each: Given[str] = UNSET
    timeout: Given[float] = UNSET


class PlainEnvelope(Record, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A batch of such."""

    requests: list[PlainOperation]
    headers: Given[Raw] = UNSET
    timeout: Given[float] = UNSET
    on_error: str = "continue"
    response_headers: Given[bool] = UNSET
    coalesce: bool = True


class SpelledEntry(Record, frozen=True, rename="camel"):
    """One operation, or one forEach child, in an answer. What is UNSET is left out; bytes are spelled in base64."""

    index: Given[int]
    name: Given[str]
    method: str
    path: str
    status: int
    headers: Given[Raw]
    body: Given[Raw | str | bytes | None]
    body_encoding: Given[str]
    duration: Given[float | str]
    queued: Given[float]
    error: Given[dict[str, Any]]
    warning: Given[dict[str, str]]
    coalesced: Given[bool]
    responses: "Given[list[SpelledEntry]]"


class SpelledAnswer(Record, frozen=True):
    """A whole answer."""

    responses: list[SpelledEntry]
    duration: float | str
