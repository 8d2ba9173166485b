"""Compiling what needs no second look: texts of the commonest shape, and texts that were compiled before.

Each function gives what the Compiler gives, or None: then the Compiler has to look, and to say what is wrong if something is.
Ids differ from batch to batch, so plain paths are matched; texts with references are the same each time, so they are kept.
"""

import re
from functools import lru_cache

from gateway.batch.compile import Compiler, Rules
from gateway.batch.operation import HeaderChanges
from gateway.batch.reference import FORBIDDEN_NAMES, Parts, Reference

_TARGET = re.compile(r"/[A-Za-z0-9\-._~!&'()*+,=:@/?]*")
_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f:{}]+")
_MOST_KEPT = 4096
_LONGEST_KEPT = 512
"""Characters of a text that is kept once compiled, so that no client can fill the memory with long ones."""


Compiled = tuple[Parts, tuple[Reference, ...]]
"""A text without anything wrong in it, and the references it holds."""

HeaderReferences = tuple[tuple[str, Reference], ...]
"""References, with the name of the header each stands in as the client spelled it."""

_known_headers: dict[tuple[tuple[tuple[str, str | None], ...], Rules], tuple[HeaderChanges, HeaderReferences]] = {}


def plain_name(name: str, longest: int) -> bool:
    """Whether a name is one that an operation can have."""
    return len(name) <= longest and (name.isidentifier() or _NAME.fullmatch(name) is not None) and name not in FORBIDDEN_NAMES


def is_plain_target(text: str, longest: int) -> bool:
    """Whether a path and query can be sent as they are, and hold neither a reference nor anything that has to be looked at."""
    # Two searches for what may not follow a slash, because a pattern that knows segments takes four times as long.
    return len(text) <= longest and _TARGET.fullmatch(text) is not None and "//" not in text and "/." not in text


def known_target(text: str, rules: Rules) -> Compiled | None:
    """A path and query with references."""
    return _compile_target(text, rules) if len(text) <= _LONGEST_KEPT else None


def known_headers(given: dict[str, str | None], rules: Rules) -> tuple[HeaderChanges, HeaderReferences] | None:
    """The header overrides of an operation or a batch."""
    key = (tuple(given.items()), rules)
    known = _known_headers.get(key)
    if known is None and len(given) <= rules.limits.headers:
        known = _compile_headers(given, rules)
        if known is not None and sum([len(name) + len(value or "") for name, value in given.items()]) <= _LONGEST_KEPT:
            if len(_known_headers) >= _MOST_KEPT:
                _known_headers.clear()
            _known_headers[key] = known
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
