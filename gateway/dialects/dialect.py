"""What every dialect can do."""

from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple, Protocol

from gateway.batch.assembly import Entry
from gateway.batch.compile import Rules
from gateway.batch.operation import Envelope
from gateway.batch.results import Finished
from gateway.errors import Refusal
from gateway.messages import Headers


class Asked(NamedTuple):
    """What a client asks: the body, inflated; the query as sent, without `?`; header values by lower-case name.

    `captured` is what stands in the holes of the place's path, as sent. `stream` is the body piece by piece, for a place that
    takes it so; reading it may raise a Refusal. `method` and `path` are those of the request, for who signs them.
    """

    body: bytes
    query: str = ""
    headers: Mapping[str, str] = {}
    captured: tuple[str, ...] = ()
    stream: AsyncIterator[bytes] | None = None
    method: str = "POST"
    path: str = ""


class Encoded(NamedTuple):
    """An answer on the wire."""

    status: int
    headers: Headers
    body: bytes


class Dialect(Protocol):
    """A wire format. `name` is a metric label."""

    @property
    def name(self) -> str:
        """One word, lower case."""

    def decode(self, asked: Asked, rules: Rules) -> Envelope:
        """The envelope, or a Refusal with every problem found."""

    def encode(self, envelope: Envelope, entries: tuple[Entry, ...], finished: Finished) -> Encoded:
        """The answer to a batch that has run."""

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """The answer to a request that was refused."""
