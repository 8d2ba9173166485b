"""The collector dialect: typed batches with multi-status, as clients of the Knetik.io / Splyt Data Collector v2 send them.

`{"batch": [element, …]}` and a customer id in the query. The `request_type` of an element names a kind of the catalog: what
fits it is sent, any other element is answered with what is wrong with it, and the rest of the batch goes on.
"""

from dataclasses import dataclass

from gateway.batch.assembly import Entry
from gateway.batch.catalog import Catalog
from gateway.batch.compile import Rules
from gateway.batch.operation import Envelope
from gateway.batch.results import Finished
from gateway.dialects.collector_decode import decode
from gateway.dialects.collector_encode import encode, encode_refused
from gateway.dialects.dialect import Asked, Encoded
from gateway.errors import Refusal


@dataclass(frozen=True, slots=True)
class Collector:
    """Typed batches of one catalog."""

    catalog: Catalog

    @property
    def name(self) -> str:
        """The dialect's name."""
        return "collector"

    def decode(self, asked: Asked, rules: Rules) -> Envelope:
        """The operations of the elements that are valid. A Refusal without a customer id or a list, or if that is too long."""
        return decode(asked, self.catalog, rules.limits)

    def encode(
        self,
        envelope: Envelope,
        entries: tuple[Entry, ...],
        finished: Finished,  # noqa: ARG002  # every dialect is given it
    ) -> Encoded:
        """An array with an entry for each element, in the order sent: 202 if all were accepted, else 207."""
        return encode(envelope, entries)

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """`{"code", "errors", "requestId"}`. In place of 422, which no client knows: 400, or 413 for too many elements."""
        return encode_refused(refusal, request_id)
