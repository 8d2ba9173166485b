"""Compiling what needs no second look: texts of the commonest shape, and texts that were compiled before.

Each function gives what the Compiler gives, or None: then the Compiler has to look, and to say what is wrong if something is.
Ids differ from batch to batch, so plain paths are matched; texts with references are the same each time, so they are kept.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from gateway.batch.compile import Compiler, Rules
from gateway.batch.reference import FORBIDDEN_NAMES, Parts, Reference

_TARGET = re.compile(
    r"(?:/(?!\.)[A-Za-z0-9\-._~!&'()*+,=:@]+)+/?"  # segments that are not empty and do not begin with a dot
    r"(?:\?[A-Za-z0-9\-._~!&'()*+,;=:@/?]*)?"
)
_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f:{}]+")
_LONGEST_KEPT = 512
"""Characters of a text that is kept once compiled, so that no client can fill the memory with long ones."""


class Compiled(NamedTuple):
    """A text without anything wrong in it, and the references it holds."""

    parts: Parts | None
    references: tuple[Reference, ...] = ()


def plain_name(name: str, longest: int) -> bool:
    """Whether a name is one that an operation can have."""
    return len(name) <= longest and _NAME.fullmatch(name) is not None and name not in FORBIDDEN_NAMES


def plain_target(text: str, rules: Rules) -> Compiled | None:
    """A path and query."""
    if "${" in text:
        return _compile_target(text, rules) if len(text) <= _LONGEST_KEPT else None
    if len(text) <= rules.limits.target and _TARGET.fullmatch(text) is not None:
        return Compiled((text,))
    return None


def plain_header(name: str, value: str | None, rules: Rules) -> tuple[str, Compiled] | None:
    """A header override: its lower-case name and what it becomes."""
    if value is not None and len(value) > _LONGEST_KEPT:
        return None
    return _compile_header(name, value, rules) if len(name) <= _LONGEST_KEPT else None


def plain_for_each(text: str, rules: Rules) -> Reference | None:
    """The reference of a forEach."""
    return _compile_for_each(text, rules) if len(text) <= _LONGEST_KEPT else None


@lru_cache(maxsize=4096)
def _compile_target(text: str, rules: Rules) -> Compiled | None:
    compiler = Compiler(rules, [])
    return _unless_wrong(compiler, compiler.target(text, ""))


@lru_cache(maxsize=4096)
def _compile_header(name: str, value: str | None, rules: Rules) -> tuple[str, Compiled] | None:
    compiler = Compiler(rules, [])
    lower, parts = compiler.header(name, value, "")
    compiled = _unless_wrong(compiler, parts)
    return None if compiled is None else (lower, compiled)


@lru_cache(maxsize=4096)
def _compile_for_each(text: str, rules: Rules) -> Reference | None:
    compiler = Compiler(rules, [])
    return compiler.for_each(text, "")


def _unless_wrong(compiler: Compiler, parts: Parts | None) -> Compiled | None:
    return None if compiler.problems else Compiled(parts, tuple(reference for _, reference in compiler.references))
