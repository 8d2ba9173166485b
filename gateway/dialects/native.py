"""The native dialect: the gateway's own envelope, and with other rules of answer the Agendize Batch API v2.3."""

from dataclasses import dataclass

from gateway.batch.assembly import Entry
from gateway.batch.compile import Rules
from gateway.batch.operation import Envelope
from gateway.batch.results import Finished
from gateway.dialects.dialect import Asked, Encoded
from gateway.dialects.native_decode import decode
from gateway.dialects.native_encode import Flavour, encode
from gateway.dialects.native_plain import decode_plain
from gateway.dialects.problem import encode_refusal
from gateway.errors import Refusal


@dataclass(frozen=True, slots=True)
class Native:
    """The native envelope in one of its flavours."""

    flavour: Flavour

    @property
    def name(self) -> str:
        """The flavour's name."""
        return self.flavour.name

    def decode(self, asked: Asked, rules: Rules) -> Envelope:
        """The envelope, or a Refusal: 400 if the body is no JSON, 422 with every problem found otherwise."""
        return decode_plain(asked.body, rules) or decode(asked.body, rules, self.flavour.json_in_strings)

    def encode(self, envelope: Envelope, entries: tuple[Entry, ...], finished: Finished) -> Encoded:
        """The answer: 200, or 207 if an operation failed and the flavour tells."""
        return encode(envelope, entries, finished, self.flavour)

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """Problem details with a JSON Pointer for every problem."""
        return encode_refusal(refusal, request_id)
