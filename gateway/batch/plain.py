"""Compiling what needs no second look: texts of the commonest shape, and texts that were compiled before.

Each function gives what the Compiler gives, or None: then the Compiler has to look, and to say what is wrong if something is.
Ids differ from batch to batch, so plain paths are matched; texts with references are the same each time, so they are kept.
"""

import re
from functools import lru_cache

from gateway.batch.compile import Compiler, Rules
from gateway.batch.operation import HeaderChanges
from gateway.batch.reference import FORBIDDEN_NAMES, Parts, Reference
from gateway.jsontext import Raw, make_decoder

_TARGETS = re.compile(r"[A-Za-z0-9\-._~!&'()*+,=:@/?\n]*")
_NAMES = re.compile(r"[^\x00-\x1f\x7f-\x9f:{}]*")
_MOST_KEPT = 4096
_LONGEST_KEPT = 512
"""Characters of a text that is kept once compiled, so that no client can fill the memory with long ones."""


Compiled = tuple[Parts, tuple[Reference, ...]]
"""A text without anything wrong in it, and the references it holds."""

HeaderReferences = tuple[tuple[str, Reference], ...]
"""References, with the name of the header each stands in as the client spelled it."""

_known_headers: dict[tuple[bytes, Rules], tuple[HeaderChanges, HeaderReferences]] = {}
_read_headers = make_decoder(dict[str, str | None])


def are_plain_names(names: list[str], longest: int) -> bool:
    """Whether each is a name that an operation can have."""
    together = "".join(names)
    return (
        "" not in names
        and _NAMES.fullmatch(together) is not None
        and FORBIDDEN_NAMES.isdisjoint(names)
        and (len(together) <= longest or max(map(len, names)) <= longest)
    )


def are_plain_targets(texts: list[str], longest: int) -> bool:
    """Whether paths and queries can be sent as they are, and hold neither references nor anything that has to be looked at."""
    # Looked at all at once, as lines: a match for each, by a pattern that knows segments, takes ten times as long.
    lines = "\n".join(["", *texts])
    return (
        lines.count("\n") == lines.count("\n/") == len(texts)
        and "//" not in lines
        and "/." not in lines
        and _TARGETS.fullmatch(lines) is not None
        and (len(lines) <= longest or max(map(len, texts)) <= longest)
    )


def known_target(text: str, rules: Rules) -> Compiled | None:
    """A path and query with references."""
    return _compile_target(text, rules) if len(text) <= _LONGEST_KEPT else None


def known_headers(raw: Raw, rules: Rules) -> tuple[HeaderChanges, HeaderReferences] | None:
    """The header overrides of an operation or a batch, from a JSON object."""
    text = bytes(raw)
    known = _known_headers.get((text, rules))
    if known is None:
        given = _read_headers(text)
        if given is None or len(given) > rules.limits.headers:
            return None
        known = _compile_headers(given, rules)
        if known is not None and len(text) <= _LONGEST_KEPT:
            if len(_known_headers) >= _MOST_KEPT:
                _known_headers.clear()
            _known_headers[text, rules] = known
    return known


def known_for_each(text: str, rules: Rules) -> Reference | None:
    """The reference of a forEach."""
    return _compile_for_each(text, rules) if len(text) <= _LONGEST_KEPT else None


@lru_cache(maxsize=_MOST_KEPT)
def _compile_target(text: str, rules: Rules) -> Compiled | None:
    compiler = Compiler(rules, [])
    parts = compiler.target(text, "")
    return None if compiler.problems else (parts, tuple(reference for _, reference in compiler.references))


def _compile_headers(given: dict[str, str | None], rules: Rules) -> tuple[HeaderChanges, HeaderReferences] | None:
    compiler = Compiler(rules, [])
    changes = dict(compiler.header(name, value, name) for name, value in given.items())
    return None if compiler.problems else (tuple(changes.items()), tuple(compiler.references))


@lru_cache(maxsize=_MOST_KEPT)
def _compile_for_each(text: str, rules: Rules) -> Reference | None:
    compiler = Compiler(rules, [])
    return compiler.for_each(text, "")
