"""From what a client wrote to what the engine runs: texts to templates, each checked, every problem collected.

Dialects call this once per field; behind it the types say what is true and nothing is checked twice.
"""

import codecs
from dataclasses import dataclass, field

from gateway.batch.headers import BadHeader, check_name, check_value
from gateway.batch.jsonpath import BadJsonPath, JsonPath, PathRules, compile_path
from gateway.batch.limits import Limits
from gateway.batch.reference import BadReference, Parts, Reference, Source, may_hold_reference, scan
from gateway.batch.target import BadTarget, TargetRules, check_literal
from gateway.batch.template import Hole, JsonParts
from gateway.errors import Problem
from gateway.jsontext import Raw, dump, elements, inner_string, load, members
from gateway.messages import Reason


@dataclass(frozen=True, slots=True)
class Rules:
    """What envelopes may hold: the limits, and what the configuration allows in references and paths."""

    limits: Limits = field(default_factory=Limits)
    targets: TargetRules = field(default_factory=TargetRules)
    descendants: bool = False
    filters: bool = False

    def paths(self) -> PathRules:
        """The rules for one JSONPath."""
        return PathRules(self.limits.reference, self.limits.reference_segments, self.descendants, self.filters)


class Compiler:
    """Compiles the fields of one operation; `problems` is shared by all of an envelope, `references` is the operation's own."""

    def __init__(self, rules: Rules, problems: list[Problem]) -> None:
        self.rules = rules
        self.paths = rules.paths()
        self.problems = problems
        self.references: list[tuple[str, Reference]] = []

    def wrong(self, pointer: str, reason: Reason, detail: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(pointer, reason, detail))

    def target(self, text: str, pointer: str) -> Parts:
        """A path and query."""
        limits = self.rules.limits
        parts = self.text(text, pointer)
        if len(text) > limits.target:
            self.wrong(pointer, Reason.PATH_NOT_ALLOWED, f"the path has {len(text)} characters, {limits.target} are allowed")
        in_query = False
        try:
            for part in parts:
                if isinstance(part, str):
                    in_query = check_literal(part, in_query, self.rules.targets)
        except BadTarget as error:
            self.wrong(pointer, Reason.PATH_NOT_ALLOWED, str(error))
        return parts

    def header(self, name: str, value: str | None, pointer: str) -> tuple[str, Parts | None]:
        """A header override; None removes. A reserved header may be removed: it was never there."""
        try:
            check_name(name)
            if value is None:
                return name.lower(), None
            parts = self.text(value, pointer)
            check_value("".join(part for part in parts if isinstance(part, str)), self.rules.limits.header)
        except BadHeader as error:
            self.wrong(pointer, error.reason, str(error))
            return name.lower(), None
        return name.lower(), parts

    def text(self, text: str, pointer: str) -> Parts:
        """A text that may hold references."""
        if not may_hold_reference(text):
            return (text,) if text else ()
        try:
            parts = scan(text, self.paths)
        except BadReference as error:
            self.wrong(pointer, Reason.INVALID_REFERENCE, str(error))
            return ()
        self.references.extend((pointer, part) for part in parts if isinstance(part, Reference))
        return parts

    def for_each(self, text: str, pointer: str) -> Reference | None:
        """The one reference of a forEach. It reads a result: nothing else can be a list."""
        parts = self.text(text, pointer)
        match parts:
            case (Reference(source=Source.RESULT) as reference,):
                return reference
            case ():
                if not text:
                    self.wrong(pointer, Reason.INVALID_REFERENCE, "forEach takes one reference, ${result=NAME:JSONPATH}")
                return None
            case _:
                self.wrong(pointer, Reason.INVALID_REFERENCE, "forEach takes exactly one reference, ${result=NAME:JSONPATH}")
                return None

    def select(self, text: str, pointer: str) -> JsonPath | None:
        """A JSONPath of `select`."""
        try:
            return compile_path(text, self.paths)
        except BadJsonPath as error:
            self.wrong(pointer, Reason.INVALID_REFERENCE, str(error))
            return None

    def charset(self, content_type: str, pointer: str) -> str:
        """The charset of a text body, from its content type; UTF-8 if it names none."""
        for parameter in content_type.split(";")[1:]:
            name, _, value = parameter.strip().partition("=")
            if name.lower() == "charset":
                try:
                    return codecs.lookup(value.strip('"')).name
                except LookupError:
                    self.wrong(pointer, Reason.INVALID_BODY, f"the charset {value!r} is not known")
        return "utf-8"

    def json_body(self, raw: bytes | Raw, pointer: str) -> JsonParts:
        """A JSON body. Without a reference or an escape it stays the bytes it came as."""
        text = bytes(raw)
        if not _may_hold_reference(text):
            return (text,)
        parts: list[bytes | Hole] = []
        self._json(text, pointer, parts)
        return _joined(parts)

    def _json(self, text: bytes, pointer: str, parts: list[bytes | Hole]) -> None:
        if not _may_hold_reference(text):
            parts.append(text)
            return
        match text[:1]:
            case b"{":
                opening = b"{"
                for key, member in (members(text) or {}).items():
                    parts.append(opening + dump(key) + b":")
                    self._json(bytes(member), f"{pointer}/{escape(key)}", parts)
                    opening = b","
                parts.append(b"}")
            case b"[":
                for index, element in enumerate(elements(text) or ()):
                    parts.append(b"," if index else b"[")
                    self._json(bytes(element), f"{pointer}/{index}", parts)
                parts.append(b"]")
            case _:
                self._json_string(load(text), pointer, parts)

    def _json_string(self, text: str, pointer: str, parts: list[bytes | Hole]) -> None:
        scanned = self.text(text, pointer)
        match scanned:
            case (Reference() as reference,):
                parts.append(Hole(reference, typed=True))
            case _:
                parts.append(b'"')
                parts.extend(inner_string(part) if isinstance(part, str) else Hole(part, typed=False) for part in scanned)
                parts.append(b'"')


def escape(key: str) -> str:
    """A key as it stands in a JSON Pointer (RFC 6901 section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


def _may_hold_reference(text: bytes) -> bool:
    r"""Whether a string in this JSON may say `${`, be it spelled with \u escapes."""
    return b"${" in text or b"\\u0024" in text or b"\\u007b" in text or b"\\u007B" in text


def _joined(parts: list[bytes | Hole]) -> JsonParts:
    joined: list[bytes | Hole] = []
    for part in parts:
        if joined and isinstance(part, bytes) and isinstance(joined[-1], bytes):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)
