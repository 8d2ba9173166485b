"""The Graph dialect: OData 4.01 JSON batches as Microsoft Graph clients speak them (OData JSON Format 4.01 section 19)."""

from dataclasses import dataclass

from gateway.batch.assembly import Entry
from gateway.batch.compile import Rules
from gateway.batch.operation import Envelope
from gateway.batch.results import Finished
from gateway.dialects.dialect import Asked, Encoded
from gateway.dialects.graph_decode import decode_graph
from gateway.dialects.graph_encode import Occasion, encode_answer, encode_graph_refusal
from gateway.dialects.graph_plain import decode_plain_graph
from gateway.dialects.graph_url import Base
from gateway.errors import Refusal


@dataclass(frozen=True, slots=True)
class Graph:
    """The dialect for one request to the gateway: where it went to, and what errors tell of it."""

    base: Base
    occasion: Occasion

    @property
    def name(self) -> str:
        """The dialect's name."""
        return "graph"

    def decode(self, asked: Asked, rules: Rules) -> Envelope:
        """The envelope; what is wrong is in it, or a Refusal if there is none."""
        return decode_plain_graph(asked.body, rules, self.base) or decode_graph(asked.body, rules, self.base)

    def encode(self, envelope: Envelope, entries: tuple[Entry, ...], finished: Finished) -> Encoded:  # noqa: ARG002 - the envelope decides nothing here
        """The answer: 200 whatever became of the requests."""
        return encode_answer(entries, finished, self.occasion)

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """Graph's error object, with a JSON Pointer for every problem."""
        return encode_graph_refusal(refusal, Occasion(request_id, self.occasion.now))
