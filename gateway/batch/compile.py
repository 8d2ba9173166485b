"""From what a client wrote to what the engine runs: texts to templates, each checked, every problem collected.

Dialects call this once per field; behind it the types say what is true and nothing is checked twice.
"""

import codecs
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from gateway.batch.content import CHARSETS
from gateway.batch.headers import BadHeader, check_name, check_value, shorten
from gateway.batch.jsonpath import BadJsonPath, JsonPath, PathRules, compile_path
from gateway.batch.limits import Limits
from gateway.batch.reference import BadReference, Parts, Reference, Source, may_hold_reference, scan
from gateway.batch.target import BadTarget, TargetRules, check_literal, check_path, encode_literal
from gateway.batch.template import Hole, JsonParts
from gateway.errors import Problem
from gateway.jsontext import Raw, dump, elements, inner_string, load, members
from gateway.messages import Reason

ReadWhole = Callable[[str, str], Reference | None]
"""From a string of a body, and the pointer to it, to the reference that it is; None if it is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """What envelopes may hold: the limits, and what the configuration allows in references and paths.

    `parameters`: references to parameters are read; elsewhere they are literal text.
    Compared by identity, which makes it cheap as a key of what was compiled under it: there is one per configuration.
    """

    limits: Limits = field(default_factory=Limits)
    targets: TargetRules = field(default_factory=TargetRules)
    descendants: bool = False
    filters: bool = False
    parameters: bool = False


@lru_cache(maxsize=16)
def _path_rules(rules: Rules) -> PathRules:
    return PathRules(rules.limits.reference, rules.limits.reference_segments, rules.descendants, rules.filters)


class Compiler:
    """Compiles the fields of one operation; `problems` is shared by all of an envelope, `references` is the operation's own.

    It reads one reference more than an operation may have, then no other but the path's and forEach's: each costs a parse,
    and the plan refuses that many.
    """

    def __init__(self, rules: Rules, problems: list[Problem]) -> None:
        self.rules = rules
        self.paths = _path_rules(rules)
        self.problems = problems
        self.references: list[tuple[str, Reference]] = []
        self._readable = rules.limits.references_per_operation + 1
        self._selected = 0

    def wrong(self, pointer: str, reason: Reason, detail: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(pointer, reason, detail))

    def target(self, text: str, pointer: str) -> Parts:
        """A path and query."""
        self._readable = max(self._readable, self.rules.limits.references_per_operation + 1)
        parts = self.text(text, pointer)
        return parts if text and not parts else self.checked_target(parts, pointer)

    def checked_target(self, parts: Parts, pointer: str) -> Parts:
        """A path and query that has been split already."""
        limits = self.rules.limits
        written = "".join(part for part in parts if isinstance(part, str))
        length = len(written) if len(written) > limits.target else len(encode_literal(written))
        if length > limits.target:
            self.wrong(pointer, Reason.PATH_NOT_ALLOWED, f"the path has {length} characters, {limits.target} are allowed")
            return parts
        in_query = False
        try:
            for part in parts:
                if isinstance(part, str):
                    in_query = check_literal(part, in_query, self.rules.targets)
            # A letter stands in for each reference: what is filled in is checked again when it is there.
            check_path("".join(part if isinstance(part, str) else "x" for part in parts).partition("?")[0])
        except BadTarget as error:
            self.wrong(pointer, Reason.PATH_NOT_ALLOWED, str(error))
        return parts

    def header(self, name: str, value: str | None, pointer: str) -> tuple[str, Parts | None]:
        """A header override; None removes."""
        try:
            check_name(name)
            if value is None:
                return name.lower(), None
            parts = self.text(value, pointer)
            # A visible character stands in for each reference, so that `Bearer ${…}` does not end with a blank.
            check_value("".join(part if isinstance(part, str) else "x" for part in parts), self.rules.limits.header)
        except BadHeader as error:
            self.wrong(pointer, error.reason, str(error))
            return name.lower(), None
        return name.lower(), parts

    def text(self, text: str, pointer: str) -> Parts:
        """A text that may hold references."""
        if not may_hold_reference(text):
            return (text,) if text else ()
        try:
            parts = scan(text, self.paths, self._readable, self.rules.parameters)
        except BadReference as error:
            self._readable -= 1
            self.wrong(pointer, Reason.INVALID_REFERENCE, str(error))
            return ()
        found = [(pointer, part) for part in parts if isinstance(part, Reference)]
        self._readable -= len(found)
        self.references.extend(found)
        return parts

    def for_each(self, text: str, pointer: str) -> Reference | None:
        """The one reference of a forEach. It reads a result or a parameter: nothing else can be a list."""
        self._readable = max(self._readable, 1)
        parts = self.text(text, pointer)
        match parts:
            case (Reference(source=Source.RESULT | Source.PARAM) as reference,):
                return reference
            case ():
                if not text:
                    self.wrong(pointer, Reason.INVALID_REFERENCE, "forEach takes one reference, ${result=NAME:JSONPATH}")
                return None
            case _:
                self.wrong(pointer, Reason.INVALID_REFERENCE, "forEach takes exactly one reference, ${result=NAME:JSONPATH}")
                return None

    def select(self, text: str, pointer: str) -> JsonPath | None:
        """A JSONPath of `select`. It costs what a reference costs: an operation may have as many."""
        most = self.rules.limits.references_per_operation
        self._selected += 1
        if self._selected > most:
            if self._selected == most + 1:
                self.wrong(pointer, Reason.INVALID_REFERENCE, f"more than {most} selected paths in one operation")
            return None
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
                return self._known_charset(value.strip().strip('"'), pointer)
        return "utf-8"

    def _known_charset(self, value: str, pointer: str) -> str:
        try:
            known = codecs.lookup(value).name
        except LookupError:
            known = ""
        if known in CHARSETS:
            return known
        self.wrong(pointer, Reason.INVALID_BODY, f"the charset {shorten(value)} is not one that text is sent in")
        return "utf-8"

    def json_body(self, raw: bytes | Raw, pointer: str, whole: ReadWhole | None = None) -> JsonParts:
        """A JSON body. Without a reference or an escape it stays the bytes it came as.

        `whole` reads the references of a dialect's own: a string that is one, and begins with `$`.
        """
        text = bytes(raw)
        parts: list[bytes | Hole] = []
        return _joined(parts) if _may_hold_reference(text, whole) and self._json(text, pointer, parts, whole) else (text,)

    def _json(self, text: bytes, pointer: str, parts: list[bytes | Hole], whole: ReadWhole | None) -> bool:
        """Add the parts of a value that may hold a reference. False if they are only its own text again."""
        changed = False
        match text[:1]:
            case b"{":
                opening = b"{"
                for key, member in (members(text) or {}).items():
                    parts.append(opening + dump(key) + b":")
                    changed |= self._json_below(bytes(member), pointer, key, parts, whole)
                    opening = b","
                parts.append(b"}")
            case b"[":
                opening = b"["
                for index, element in enumerate(map(bytes, elements(text) or ())):
                    # Most hold none, and there may be half a million: a call for each costs as much as all the rest.
                    if b"$" not in element and b"\\" not in element:
                        parts.append(opening + element)
                    else:
                        parts.append(opening)
                        changed |= self._json_below(element, pointer, str(index), parts, whole)
                    opening = b","
                parts.append(b"]")
            case _:
                changed = self._json_string(load(text), pointer, parts, whole)
        return changed

    def _json_below(self, text: bytes, above: str, key: str, parts: list[bytes | Hole], whole: ReadWhole | None) -> bool:
        if _may_hold_reference(text, whole):
            return self._json(text, f"{above}/{escape(key)}", parts, whole)
        parts.append(text)
        return False

    def _json_string(self, text: str, pointer: str, parts: list[bytes | Hole], whole: ReadWhole | None) -> bool:
        reference = None if whole is None else whole(text, pointer)
        scanned = self.text(text, pointer) if reference is None else (reference,)
        match scanned:
            case (Reference() as reference,):
                parts.append(Hole(reference, typed=True))
            case _:
                parts.append(b'"')
                parts.extend(inner_string(part) if isinstance(part, str) else Hole(part, typed=False) for part in scanned)
                parts.append(b'"')
        return scanned != (text,)


def escape(key: str) -> str:
    """A key as it stands in a JSON Pointer (RFC 6901 section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


def _may_hold_reference(text: bytes, whole: ReadWhole | None) -> bool:
    r"""Whether a string in this JSON may say `${`, or `$` where that begins a reference, be it spelled with \u escapes."""
    if whole is not None:
        return b"$" in text or b"\\u0024" in text
    return b"${" in text or (b"\\u00" in text and (b"\\u0024" in text or b"\\u007b" in text or b"\\u007B" in text))


def _joined(parts: list[bytes | Hole]) -> JsonParts:
    """The parts with neighbouring texts as one."""
    joined: list[bytes | Hole] = []
    texts: list[bytes] = []
    for part in parts:
        if isinstance(part, bytes):
            texts.append(part)
            continue
        if texts:
            joined.append(b"".join(texts))
            texts.clear()
        joined.append(part)
    if texts:
        joined.append(b"".join(texts))
    return tuple(joined)
