"""The Graph envelope as the JSON decoder is to see it, and the Graph answer as the encoder is.

Apart from what reads and fills them, because a class that is compiled to C loses the annotations that a decoder goes by.
"""

from gateway.jsontext import UNSET, Given, Raw, Record

_NAMES = {"depends_on": "dependsOn", "depends_on_too": "depends_on"}
"""The Python client spells it in its own language's way."""


class GraphRequest(Record, frozen=True, rename=_NAMES, forbid_unknown_fields=True):
    """A request with what most of them have. Headers and body are not looked into."""

    id: str
    method: str
    url: str
    headers: Given[Raw] = UNSET
    body: Given[Raw] = UNSET
    depends_on: tuple[str, ...] = ()
    depends_on_too: tuple[str, ...] = ()


class GraphEnvelope(Record, frozen=True, forbid_unknown_fields=True):
    """A batch of such."""

    requests: list[GraphRequest]


class GraphResponse(Record, frozen=True):
    """One request in an answer. What is UNSET is left out; bytes are spelled in base64."""

    id: str
    status: int
    headers: Given[Raw]
    body: Given[Raw | str | bytes]


class GraphAnswer(Record, frozen=True):
    """A whole answer."""

    responses: list[GraphResponse]
