"""What the collector dialect keeps of a batch from reading it to answering it."""

from gateway.jsontext import Record


class Element(Record, frozen=True):
    """An element as it was sent, and what is wrong with it; nothing if it has become an operation."""

    text: bytes
    errors: tuple[str, ...]
