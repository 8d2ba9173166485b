"""References: `${result=NAME:JSONPATH}`, `${status=NAME}`, `${header=NAME:field}`, `${item:JSONPATH}`, `${item}`, `${index}`.

In templates of the configuration also `${param:JSONPATH}` and `${param}`: the parameters that stand with an operation.

The scanner splits a text into what is literal and what is a reference. A reference ends at the first `}` outside quotes;
`$${` is a literal `${`; any other `${…}` is literal.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from gateway.batch.jsonpath import BadJsonPath, JsonPath, PathRules, compile_path

FORBIDDEN_IN_NAMES = frozenset(":{}")
FORBIDDEN_NAMES = frozenset({"__proto__", "constructor", "prototype"})
"""Names that would reach into a JavaScript client's objects."""

_OPENING = re.compile(r"\$\$\{|\$\{(?:(result|status|header)=|(item)|(index)\})")
_OPENING_WITH_PARAMETERS = re.compile(r"\$\$\{|\$\{(?:(result|status|header)=|(item|param)|(index)\})")
_CLOSING = re.compile(
    r"""[^:}]*+(?::(?:[^'"}]++|'(?:[^'\\]++|\\.)*+'|"(?:[^"\\]++|\\.)*+")*+)?}""",
    re.DOTALL,
)
"""The rest of a reference. Quotes count from the first colon on: before it stands a name, which may hold an apostrophe."""

_LONGEST_KEPT = 512
"""Characters of a text that is kept once scanned, so that no client can fill the memory with long ones."""

_FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Source(Enum):
    """What a reference reads."""

    RESULT = "result"
    STATUS = "status"
    HEADER = "header"
    ITEM = "item"
    INDEX = "index"
    LOCATION = "location"
    PARAM = "param"


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in another operation's answer, the forEach item at hand or the parameters. `field` is a lower-case header name.

    What reads an answer has the name of its operation, RESULT a path and HEADER a field; ITEM and PARAM may have a path.
    """

    source: Source
    name: str = ""
    path: JsonPath | None = None
    field: str = ""

    def is_of_item(self) -> bool:
        """Whether it reads the forEach item or its index."""
        return self.source is Source.ITEM or self.source is Source.INDEX

    def is_parameter(self) -> bool:
        """Whether it reads the parameters."""
        return self.source is Source.PARAM

    def __str__(self) -> str:
        match self.source:
            case Source.RESULT:
                return f"${{result={self.name}:{self.path.text if self.path else ''}}}"
            case Source.STATUS:
                return f"${{status={self.name}}}"
            case Source.HEADER:
                return f"${{header={self.name}:{self.field}}}"
            case Source.ITEM:
                return f"${{item:{self.path.text}}}" if self.path else "${item}"
            case Source.INDEX:
                return "${index}"
            case Source.LOCATION:
                return f"${self.name}"
            case Source.PARAM:
                return f"${{param:{self.path.text}}}" if self.path else "${param}"


class BadReference(ValueError):
    """A text opens a reference and does not finish it properly. The message says what and at which column (from 1)."""


Parts = tuple[str | Reference, ...]


def may_hold_reference(text: str) -> bool:
    """A cheap look: False means there is neither a reference nor an escape in it."""
    return "${" in text


def scan(text: str, rules: PathRules, most: int, parameters: bool = False) -> Parts:
    """Literal texts and references of `text`, in order, escapes undone; BadReference if one is malformed.

    After `most` references the rest counts as literal: reading a path costs, and a text that holds so many is refused anyway.
    Without `parameters` a reference to one is literal too.
    """
    # Templates are the same in each batch of a client, so those that are short are kept.
    return _scan_once(text, rules, most, parameters) if len(text) <= _LONGEST_KEPT else _scan(text, rules, most, parameters)


@lru_cache(maxsize=1024)
def _scan_once(text: str, rules: PathRules, most: int, parameters: bool) -> Parts:
    return _scan(text, rules, most, parameters)


def _scan(text: str, rules: PathRules, most: int, parameters: bool) -> Parts:
    opens = _OPENING_WITH_PARAMETERS if parameters else _OPENING
    parts: list[str | Reference] = []
    literal = ""
    at = 0
    while most > 0 and (opening := opens.search(text, at)) is not None:
        literal += text[at : opening.start()]
        if opening[0] == "$${":
            literal += "${"
            at = opening.end()
            continue
        if literal:
            parts.append(literal)
            literal = ""
        end = _closing(text, opening.start())
        parts.append(_read(text[opening.start() + 2 : end], opening.start() + 1, rules))
        at = end + 1
        most -= 1
    literal += text[at:]
    if literal:
        parts.append(literal)
    return tuple(parts)


def _closing(text: str, start: int) -> int:
    """Where the reference ends."""
    rest = _CLOSING.match(text, start + 2)
    if rest is None:
        raise BadReference(f"column {start + 1}: the reference has no closing }}")
    return rest.end() - 1


def _read(inner: str, column: int, rules: PathRules) -> Reference:
    if inner == "index":
        return Reference(Source.INDEX)
    if inner.startswith("item"):
        return _read_inside(Source.ITEM, inner, column, rules)
    if inner.startswith("param"):
        return _read_inside(Source.PARAM, inner, column, rules)
    kind, _, rest = inner.partition("=")
    if kind == "status":
        return Reference(Source.STATUS, _name(rest, column, "${status=NAME}"))
    name, colon, place = rest.partition(":")
    if kind == "result":
        if not colon:
            raise BadReference(f"column {column}: write ${{result=NAME:JSONPATH}}")
        return Reference(Source.RESULT, _name(name, column, "${result=NAME:JSONPATH}"), _path(place, column, rules))
    if not _FIELD_NAME.fullmatch(place):
        raise BadReference(f"column {column}: write ${{header=NAME:field}} with the name of a header")
    return Reference(Source.HEADER, _name(name, column, "${header=NAME:field}"), field=place.lower())


def _read_inside(source: Source, inner: str, column: int, rules: PathRules) -> Reference:
    """What reads a value at hand: the whole of it, or what a path finds there."""
    word, colon, path = inner.partition(":")
    if word != source.value:
        raise BadReference(f"column {column}: write ${{{source.value}}} or ${{{source.value}:JSONPATH}}")
    return Reference(source, path=_path(path, column, rules) if colon else None)


def _name(name: str, column: int, form: str) -> str:
    if not name or FORBIDDEN_IN_NAMES & set(name):
        raise BadReference(f"column {column}: write {form}")
    return name


def _path(text: str, column: int, rules: PathRules) -> JsonPath:
    try:
        return compile_path(text, rules)
    except BadJsonPath as error:
        raise BadReference(f"column {column}: {error}") from None
