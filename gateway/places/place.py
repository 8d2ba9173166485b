"""What every place can do."""

from collections.abc import Mapping
from typing import Protocol

from gateway.dialects.dialect import Asked, Encoded
from gateway.errors import Refusal
from gateway.messages import Context
from gateway.pipeline import Answer


class Place(Protocol):
    """What answers one method at one path."""

    @property
    def dialect(self) -> str:
        """The name of the dialect spoken here: a metric label."""

    async def serve(self, asked: Asked, context: Context) -> Answer:
        """The answer. Raises a Refusal if there can be none.

        When it is cancelled, the client has gone: it may still return, status 499, to tell what happened.
        """

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """The answer to a request that was refused, by this place or on the way to it."""


Places = Mapping[str, Mapping[str, Place]]
"""What is served: path -> method -> place."""
