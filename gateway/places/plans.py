"""Where a batch is only looked at: what it would do, in which order, and where it would go."""

from dataclasses import dataclass
from typing import ClassVar

from gateway.batch.plan import make_plan
from gateway.dialects.dialect import Asked, Dialect, Encoded
from gateway.dialects.native_plan import encode_plan
from gateway.errors import Refusal
from gateway.execution.engine import Engine
from gateway.messages import Context
from gateway.pipeline import Answer
from gateway.places.place import Takes


@dataclass(frozen=True, slots=True)
class Plans:
    """Decodes and plans what a client sends, as if to run it. Nothing is sent."""

    takes: ClassVar[Takes] = Takes.JSON
    spoken: Dialect
    engine: Engine

    @property
    def dialect(self) -> str:
        """The dialect's name."""
        return self.spoken.name

    async def serve(self, asked: Asked, context: Context) -> Answer:  # noqa: ARG002  # nobody's headers are sent anywhere
        """The plan. Raises the Refusal that the batch would get."""
        rules = self.engine.rules
        plan = make_plan(self.spoken.decode(asked, rules), self.engine.routes, rules.limits)
        encoded = encode_plan(plan, rules.limits, len(asked.body))
        return Answer(encoded.status, encoded.headers, encoded.body)

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """As the dialect refuses."""
        return self.spoken.refuse(refusal, request_id)
