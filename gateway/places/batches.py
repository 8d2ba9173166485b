"""Where batches of a dialect are taken."""

from dataclasses import dataclass
from typing import ClassVar

from gateway import pipeline
from gateway.dialects.dialect import Asked, Dialect, Encoded
from gateway.errors import Refusal
from gateway.execution.engine import Engine
from gateway.messages import Context
from gateway.pipeline import Answer
from gateway.places.place import Takes


@dataclass(frozen=True, slots=True)
class Batches:
    """Runs what a client sends, at once."""

    takes: ClassVar[Takes] = Takes.JSON
    spoken: Dialect
    engine: Engine

    @property
    def dialect(self) -> str:
        """The dialect's name."""
        return self.spoken.name

    async def serve(self, asked: Asked, context: Context) -> Answer:
        """Run the batch. Raises a Refusal if it is unusable, and then nothing was sent."""
        return await pipeline.answer(asked, self.spoken, context, self.engine)

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """As the dialect refuses."""
        return self.spoken.refuse(refusal, request_id)
