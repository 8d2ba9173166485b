"""OData's references in a batch: `$<id>` at the start of a url, and `$<id>/property`.

They become references of our own, which may stand beside them. What only looks like one, such as `$filter`, `$count` or the
text "$10", names no request of the batch or is not the whole segment, query value or string, and stays text.
"""

import re

from gateway.batch.compile import Compiler
from gateway.batch.jsonpath import JsonPath
from gateway.batch.limits import Limits
from gateway.batch.reference import Parts, Reference, Source
from gateway.messages import Reason

_START = re.compile(r"/\$([^/?]+)")
_SEGMENT = re.compile(r"(?<=/)\$([^/?]+)/([^/?]+)")
_QUERY_VALUE = re.compile(r"(?<==)\$([^/&=]+)/([^&=]+)(?=&|$)")
_WHOLE = re.compile(r"\$([^/]+)/(.+)")


class Ids:
    """The ids of a batch, which are compared without regard to case."""

    def __init__(self, ids: dict[str, str]) -> None:
        self._by_lower = ids

    def find(self, text: str) -> str | None:
        """The id as the request itself spells it."""
        return self._by_lower.get(text.lower())


def split_start(path: str, ids: Ids) -> tuple[str, str] | None:
    """The id that a path starts with as a reference, and what follows; None if it starts otherwise."""
    found = _START.match(path)
    name = ids.find(found[1]) if found else None
    return None if found is None or name is None else (name, path[found.end() :])


def split_url(text: str, pointer: str, ids: Ids, compiler: Compiler, in_query: bool = False) -> Parts:
    """A path and query, or what follows the start of one, as literal texts and references, both OData's and our own."""
    scanned = compiler.text(text, pointer)
    parts: list[str | Reference] = []
    for position, part in enumerate(scanned):
        if not isinstance(part, str):
            parts.append(part)
            continue
        ends = position == len(scanned) - 1
        path, question, query = ("", "", part) if in_query else part.partition("?")
        in_query = in_query or bool(question)
        parts.extend(_split(path, _SEGMENT, ends or bool(question), pointer, ids, compiler))
        if question or query:
            parts.extend(_split(question + query, _QUERY_VALUE, ends, pointer, ids, compiler))
    return tuple(parts)


def read_whole(text: str, pointer: str, ids: Ids, compiler: Compiler) -> Reference | None:
    """The reference that a string of a body is, if it is one of OData's."""
    found = _WHOLE.fullmatch(text)
    return None if found is None else _read(found, pointer, ids, compiler)


def _split(
    text: str, pattern: re.Pattern[str], ends: bool, pointer: str, ids: Ids, compiler: Compiler
) -> list[str | Reference]:
    """`ends`: nothing else is glued to the end of the text."""
    parts: list[str | Reference] = []
    at = 0
    for found in pattern.finditer(text) if "$" in text else ():
        glued = found.end() == len(text) and not ends
        reference = None if glued else _read(found, pointer, ids, compiler)
        if reference is not None:
            parts += [text[at : found.start()], reference]
            at = found.end()
    if text[at:]:
        parts.append(text[at:])
    return parts


def _read(found: re.Match[str], pointer: str, ids: Ids, compiler: Compiler) -> Reference | None:
    name = ids.find(found[1])
    keys = found[2].split("/")
    if name is None or "" in keys:
        return None
    _check_cost(found[2], keys, pointer, compiler.rules.limits, compiler)
    reference = Reference(Source.RESULT, name, JsonPath(f"$.{'.'.join(keys)}", True, (), tuple(keys)))
    compiler.references.append((pointer, reference))
    return reference


def _check_cost(text: str, keys: list[str], pointer: str, limits: Limits, compiler: Compiler) -> None:
    if len(text) > limits.reference or len(keys) > limits.reference_segments:
        detail = f"a reference may have {limits.reference} characters and {limits.reference_segments} segments"
        compiler.wrong(pointer, Reason.INVALID_REFERENCE, detail)
