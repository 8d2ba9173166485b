"""What a client asked for: an envelope of operations, dialect-free, its texts compiled to templates."""

from dataclasses import dataclass
from typing import Any

from gateway.batch.jsonpath import JsonPath
from gateway.batch.reference import Parts, Reference
from gateway.batch.template import JsonParts
from gateway.errors import Problem
from gateway.jsontext import Record

HeaderChanges = tuple[tuple[str, Parts | None], ...]
"""Lower-case header names and what they become; None removes what came before."""


class JsonBody(Record, frozen=True):
    """A JSON body with holes. Without any it reaches the upstream byte for byte."""

    parts: JsonParts


class TextBody(Record, frozen=True):
    """A text body with holes, to be sent in `charset`."""

    parts: Parts
    charset: str = "utf-8"


class BytesBody(Record, frozen=True):
    """A body that is sent as it is."""

    content: bytes


Body = JsonBody | TextBody | BytesBody


@dataclass(frozen=True, slots=True)
class Select:
    """What of a JSON body is answered: the value at a path, or an object of values by name."""

    paths: tuple[tuple[str | None, JsonPath], ...]


class Operation(Record, frozen=True):
    """One sub-request asked for. `pointer` leads to it in the envelope as sent; `timeout` is in seconds.

    `parameters` is the JSON text of the object that its `${param…}` read.
    """

    pointer: str
    path: str
    target: Parts
    name: str | None = None
    method: str = "GET"
    headers: HeaderChanges = ()
    body: Body | None = None
    content_type: str | None = None
    depends_on: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    for_each: Reference | None = None
    nested: "tuple[Operation, ...]" = ()
    timeout: float | None = None
    select: Select | None = None
    omit: bool = False
    omit_on_success: bool = False
    upstream: str | None = None
    references: tuple[tuple[str, Reference], ...] = ()
    """Every reference in it, with the pointer to where it stands. A template that names no operation may leave its own out."""
    parameters: bytes | None = None

    @property
    def label(self) -> str:
        """What to call it in a message: its name, else its pointer."""
        return self.name or self.pointer


class Envelope(Record, frozen=True):
    """One batch as values. `timeout` is in seconds; `headers` go into every operation, before its own.

    `coalesce`: requests that are alike are sent once. `problems` were found while decoding; the plan adds its own and refuses
    them all at once. `own` is what the dialect wants back when it encodes the answer; nobody else looks at it.
    """

    operations: tuple[Operation, ...]
    headers: HeaderChanges = ()
    timeout: float | None = None
    stop_on_error: bool = False
    show_headers: bool | None = None
    coalesce: bool = True
    problems: tuple[Problem, ...] = ()
    own: Any = None
