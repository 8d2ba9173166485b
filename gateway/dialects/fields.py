"""Reading the fields of a JSON object that a client sent.

Each has the type it must have, or there is a problem with a pointer to it.
"""

from difflib import get_close_matches

from gateway.batch.compile import escape
from gateway.batch.headers import shorten
from gateway.errors import Problem
from gateway.jsontext import NotJson, Raw, check_document, elements, load, members
from gateway.messages import Reason

_MOST_TOLD = 20
"""Unknown fields of one object that are each a problem: looking for what was meant takes 0.1 ms."""

_LONGEST_MISSPELT = 40


class Fields:
    """The fields of one object at the pointer `at`.

    A field that is absent or wrong reads as None; wrong ones are in `problems`.
    """

    def __init__(self, fields: dict[str, Raw], at: str, problems: list[Problem]) -> None:
        self.raw = fields
        self.at = at
        self.problems = problems

    def __contains__(self, field: str) -> bool:
        return field in self.raw

    def pointer(self, field: str) -> str:
        """The JSON Pointer of a field."""
        return f"{self.at}/{escape(field)}"

    def wrong(self, field: str, detail: str, reason: Reason = Reason.INVALID_ENVELOPE) -> None:
        """Note a problem with a field."""
        self.problems.append(Problem(self.pointer(field), reason, detail))

    def check_known(self, known: tuple[str, ...], what: str) -> None:
        """Every field that is not `known` is a problem that says what may have been meant."""
        unknown = [field for field in self.raw if field not in known]
        for field in unknown[:_MOST_TOLD]:
            # What is that long is no misspelling, and comparing costs as much as it is long.
            near = field[:_LONGEST_MISSPELT]
            meant = get_close_matches(near, known, n=1) or get_close_matches(near.lower(), known, n=1)
            hint = f"; did you mean {meant[0]}?" if meant else f"; it has {', '.join(known)}"
            self.wrong(field, f"{what} has no field {shorten(field)}{hint}")
        if len(unknown) > _MOST_TOLD:
            detail = f"{what} has none of {len(unknown) - _MOST_TOLD} more fields"
            self.problems.append(Problem(self.at, Reason.INVALID_ENVELOPE, detail))

    def string(self, field: str) -> str | None:
        """A string."""
        if field not in self.raw:
            return None
        value = load(self.raw[field])
        if isinstance(value, str):
            return value
        self.wrong(field, f"{field} must be a string, got {describe(self.raw[field])}")
        return None

    def boolean(self, field: str) -> bool | None:
        """True or false."""
        if field not in self.raw:
            return None
        value = load(self.raw[field])
        if isinstance(value, bool):
            return value
        self.wrong(field, f"{field} must be true or false, got {describe(self.raw[field])}")
        return None

    def choice(self, field: str, choices: tuple[str, ...]) -> str | None:
        """One of some strings."""
        value = self.string(field)
        if value is None or value in choices:
            return value
        self.wrong(field, f"{field} must be {' or '.join(choices)}, got {value[:20]!r}")
        return None

    def names(self, field: str) -> tuple[str, ...]:
        """A list of strings."""
        if field not in self.raw:
            return ()
        listed = elements(self.raw[field])
        if listed is None:
            self.wrong(field, f"{field} must be a list of names, got {describe(self.raw[field])}")
            return ()
        for position, raw in enumerate(listed):
            if not is_string(raw):
                detail = f"{field} holds names, got {describe(raw)}"
                self.problems.append(Problem(f"{self.pointer(field)}/{position}", Reason.INVALID_ENVELOPE, detail))
                return ()
        return tuple(load(raw) for raw in listed)

    def milliseconds(self, field: str) -> float | None:
        """A number of milliseconds above 0, as seconds."""
        if field not in self.raw:
            return None
        value = load(self.raw[field])
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return float(value) / 1000
        self.wrong(field, f"{field} must be a number of milliseconds above 0, got {describe(self.raw[field])}")
        return None

    def opened(self, field: str, depth: int) -> dict[str, Raw] | None:
        """An object, or a string that holds one as JSON: that is how clients of the Agendize API send headers."""
        raw = self.raw[field]
        found = members(raw)
        if found is None and is_string(raw):
            inner = load(raw).encode()
            try:
                check_document(inner, depth)
            except NotJson:
                return None
            return members(inner)
        return found


def is_string(raw: Raw) -> bool:
    """Whether a JSON value is a string."""
    return bytes(raw)[:1] == b'"'


_KINDS = {b'"': "a string", b"{": "an object", b"[": "a list", b"t": "true", b"f": "false", b"n": "null"}


def describe(raw: Raw) -> str:
    """What a JSON value is, for a message: never the whole of it."""
    text = bytes(raw)
    return _KINDS.get(text[:1]) or text[:20].decode()
