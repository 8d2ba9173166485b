"""What every place can do."""

from collections.abc import Mapping
from enum import Enum
from typing import ClassVar, Protocol

from gateway.dialects.dialect import Asked, Encoded
from gateway.errors import Refusal
from gateway.messages import Context
from gateway.pipeline import Answer


class Takes(Enum):
    """What a place wants of the body of a request."""

    JSON = "all of it, and it must be JSON"
    NOTHING = "none of it: whatever comes is dropped"
    BYTES = "all of it, of any type"
    STREAM = "any type, piece by piece, and only as fast as it is read; up to `longest` bytes"


class Place(Protocol):
    """What answers one method at one path."""

    takes: ClassVar[Takes]

    @property
    def dialect(self) -> str:
        """The name of the dialect spoken here: a metric label."""

    async def serve(self, asked: Asked, context: Context) -> Answer:
        """The answer. Raises a Refusal if there can be none.

        When it is cancelled, the client has gone: it may still return, status 499, to tell what happened.
        """

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """The answer to a request that was refused, by this place or on the way to it."""


class Upload(Place, Protocol):
    """A place that takes a stream."""

    @property
    def longest(self) -> int:
        """The most bytes of a body."""


Places = Mapping[str, Mapping[str, Place]]
"""What is served: path -> method -> place. A path may have holes, whole segments in braces: `/jobs/{id}`."""
