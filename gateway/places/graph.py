"""Where Graph batches are taken. The dialect has no clock and sees no proxies: it is told what it must know of each request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from gateway import pipeline
from gateway.dialects.dialect import Asked, Encoded
from gateway.dialects.graph import Graph
from gateway.dialects.graph_encode import Occasion
from gateway.dialects.graph_url import Base
from gateway.errors import Refusal
from gateway.execution.engine import Engine
from gateway.messages import Context
from gateway.pipeline import Answer
from gateway.places.place import Takes


@dataclass(frozen=True, slots=True)
class GraphBatches:
    """Runs what a client posts to `path`, at once. `clock` is seconds since 1970; `keeps_version` as in Base."""

    takes: ClassVar[Takes] = Takes.JSON
    path: str
    keeps_version: bool
    engine: Engine
    clock: Callable[[], float]

    @property
    def dialect(self) -> str:
        """The dialect's name."""
        return "graph"

    async def serve(self, asked: Asked, context: Context) -> Answer:
        """Run the batch. Raises a Refusal if it is unusable, and then nothing was sent."""
        # Of the identity, because a host there is what a trusted proxy or else the request itself says it is.
        host = next((value for name, value in context.identity if name == "x-forwarded-host"), "")
        return await pipeline.answer(asked, self._speak(context.request_id, host), context, self.engine)

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """Graph's error object."""
        return self._speak(request_id, "").refuse(refusal, request_id)

    def _speak(self, request_id: str, host: str) -> Graph:
        prefix = self.path.rpartition("/")[0]
        return Graph(Base(prefix, host, self.keeps_version), Occasion(request_id, self.clock()))
