"""JSONPath: compiled by jsonpath-ng, walked by our own steps over JSON text.

The library parses (0.4 ms, hence the bounded cache); what it parsed is accepted only if made of parts whose cost is known.
The walk gives what the library's own `find` gives, in its order, but leaves every value as the text it came as.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jsonpath_ng import JSONPath, jsonpath
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext.filter import Expression, Filter
from jsonpath_ng.ext.parser import ExtendedJsonPathParser
from jsonpath_ng.parser import JsonPathParser

from gateway.jsontext import Node, NotJson, load

Step = Callable[[Node], Iterable[Node]]


class BadJsonPath(ValueError):
    """The expression is not one we accept. The message says why."""


class TooManyVisits(Exception):
    """Walking the path would look at more of the document than allowed."""


@dataclass(frozen=True, slots=True, eq=False)
class PathRules:
    """What a JSONPath may cost and contain. `length` is characters, `segments` the steps after `$`.

    Compared by identity, which makes it cheap as a key of what was compiled under it: there is one per configuration.
    """

    length: int = 256
    segments: int = 16
    descendants: bool = False
    filters: bool = False


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A compiled JSONPath. Singular: it names one place, so it yields one value or none; any other yields a list.

    `keys` are the names and indexes that a singular path goes through.
    """

    text: str
    singular: bool
    steps: tuple[Step, ...]
    keys: tuple[str | int, ...] = ()

    def find(self, node: Node, visits: int) -> list[Node]:
        """The values at this path, in document order; TooManyVisits once more than `visits` values were looked at."""
        if self.singular:
            one = self.find_one(node, visits)
            return [] if one is None else [one]
        found = [node]
        for step in self.steps:
            reached: list[Node] = []
            for one in found:
                for value in step(one):
                    visits -= 1
                    if visits < 0:
                        raise TooManyVisits
                    if value is not _SEEN:
                        reached.append(value)
            found = reached
        return found

    def find_one(self, node: Node, visits: int) -> Node | None:
        """The value at a singular path, or None; TooManyVisits as above."""
        for key in self.keys:
            found = node.member(key) if isinstance(key, str) else node.element(key)
            if found is None:
                return None
            visits -= 1
            if visits < 0:
                raise TooManyVisits
            node = found
        return node

    def starts_with_wildcard(self) -> bool:
        """Whether the first step takes every child, as in `$[*].id`."""
        return bool(self.steps) and isinstance(self.steps[0], _Every)

    def after_first(self) -> "JsonPath":
        """The rest of the path, to be applied to each value of its first step."""
        return _path_of(self.text, self.steps[1:])


_SEEN = Node(b"null")
"""Stands for a value that was looked at and is no match, so that searching costs visits too."""


@lru_cache(maxsize=1024)
def compile_path(text: str, rules: PathRules) -> JsonPath:
    """Compile `text`, or raise BadJsonPath. A path starts with `$`."""
    if len(text) > rules.length:
        raise BadJsonPath(f"a JSONPath may have {rules.length} characters, this one has {len(text)}")
    if not text.startswith("$"):
        raise BadJsonPath("a JSONPath starts with $")
    if "`" in text:
        raise BadJsonPath("backtick functions are not supported")
    try:
        steps = tuple(_steps(_parse(text, rules), rules))
    except RecursionError:
        raise BadJsonPath("the JSONPath is nested too deeply") from None
    if len(steps) > rules.segments:
        raise BadJsonPath(f"a JSONPath may have {rules.segments} segments, this one has {len(steps)}")
    return _path_of(text, steps)


def _path_of(text: str, steps: tuple[Step, ...]) -> JsonPath:
    keys = [step.name if isinstance(step, _Field) else step.index for step in steps if isinstance(step, _Field | _Element)]
    singular = len(keys) == len(steps)
    return JsonPath(text, singular, steps, tuple(keys) if singular else ())


def _parse(text: str, rules: PathRules) -> JSONPath:
    """jsonpath-ng's tree. Its extended grammar only where filters are configured: the core one cannot express their risks."""
    if text.count(".") + text.count("[") > 4 * rules.segments:
        raise BadJsonPath(f"a JSONPath may have {rules.segments} segments")
    if "|" in text.replace("||", ""):
        raise BadJsonPath("unions with | are not supported")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            parsed: JSONPath = _parser(rules.filters).parse(text)
    except DeprecationWarning as warning:
        raise BadJsonPath(f"not supported: {warning}") from None
    except JSONPathError as error:
        if "?" in text and not rules.filters:
            raise BadJsonPath("filters are not enabled (references.filters)") from None
        raise BadJsonPath(f"not a JSONPath: {error}") from None
    return parsed


@lru_cache(maxsize=2)
def _parser(extended: bool) -> JsonPathParser:
    """Kept, because building one costs as much as parsing with it."""
    return ExtendedJsonPathParser() if extended else JsonPathParser()


def _steps(tree: JSONPath, rules: PathRules) -> Iterable[Step]:
    match tree:
        case jsonpath.Root():
            return
        case jsonpath.Child():
            yield from _steps(tree.left, rules)
            yield _step(tree.right, rules)
        case jsonpath.Descendants():
            if not rules.descendants:
                raise BadJsonPath("the descendant operator .. is not enabled (references.descendants)")
            yield from _steps(tree.left, rules)
            first, *rest = _links(tree.right)
            yield _Descend(_step(first, rules))
            yield from (_step(link, rules) for link in rest)
        case _:
            raise BadJsonPath(f"a JSONPath may not contain {type(tree).__name__.lower()}")


def _links(tree: JSONPath) -> list[JSONPath]:
    """The parts of a chain of children: the library parses `..[*].a` as `..` before all of `[*].a`."""
    return [*_links(tree.left), *_links(tree.right)] if isinstance(tree, jsonpath.Child) else [tree]


def _step(tree: JSONPath, rules: PathRules) -> Step:
    match tree:
        case jsonpath.Fields():
            return _Field(tree.fields[0]) if len(tree.fields) == 1 else _Fields(tree.fields)
        case jsonpath.Index():
            return _Element(tree.indices[0]) if len(tree.indices) == 1 else _Elements(tree.indices)
        case jsonpath.Wildcard():
            return _Every()
        case jsonpath.Slice():
            return _Slice(slice(tree.start, tree.end, tree.step))
        case Filter() if rules.filters and all(_is_plain(e) for e in tree.expressions):
            return _Matching(tree)
        case _:
            raise BadJsonPath(f"a JSONPath may not contain {type(tree).__name__.lower()}")


def _is_plain(expression: Any) -> bool:
    """Whether a filter's expression compares a field of the item with a literal: it computes nothing and runs no pattern."""
    return (
        isinstance(expression, Expression)
        and expression.op != "=~"
        and not isinstance(expression.value, JSONPath)
        and _is_plain_target(expression.target)
    )


def _is_plain_target(target: Any) -> bool:
    match target:
        case jsonpath.Child():
            return _is_plain_target(target.left) and _is_plain_target(target.right)
        case jsonpath.This() | jsonpath.Fields() | jsonpath.Index():
            return True
        case _:
            return False


@dataclass(frozen=True, slots=True)
class _Field:
    name: str

    def __call__(self, node: Node) -> Iterable[Node]:
        found = node.member(self.name)
        return () if found is None else (found,)


@dataclass(frozen=True, slots=True)
class _Fields:
    names: tuple[str, ...]

    def __call__(self, node: Node) -> Iterable[Node]:
        return [found for name in self.names if (found := node.member(name)) is not None]


@dataclass(frozen=True, slots=True)
class _Element:
    index: int

    def __call__(self, node: Node) -> Iterable[Node]:
        found = node.element(self.index)
        return () if found is None else (found,)


@dataclass(frozen=True, slots=True)
class _Elements:
    indices: tuple[int, ...]

    def __call__(self, node: Node) -> Iterable[Node]:
        return [found for index in self.indices if (found := node.element(index)) is not None]


@dataclass(frozen=True, slots=True)
class _Every:
    def __call__(self, node: Node) -> Iterable[Node]:
        return node.children()


@dataclass(frozen=True, slots=True)
class _Slice:
    part: slice

    def __call__(self, node: Node) -> Iterable[Node]:
        if not node.is_array() or self.part.step == 0:
            return ()
        return [found for index in range(len(node))[self.part] if (found := node.element(index)) is not None]


@dataclass(frozen=True, slots=True)
class _Descend:
    """A value and all below it, each before its own children, and what the step finds there."""

    step: Step

    def __call__(self, node: Node) -> Iterable[Node]:
        waiting: list[Iterator[Node]] = [iter((node,))]
        while waiting:
            one = next(waiting[-1], None)
            if one is None:
                waiting.pop()
                continue
            yield _SEEN
            yield from self.step(one)
            waiting.append(one.children())


@dataclass(frozen=True, slots=True)
class _Matching:
    """The children a filter keeps. Each is tried alone, so that what is kept is still its own text.

    One with a number beyond a double's range cannot be compared and is not kept.
    """

    filter: Any

    def __call__(self, node: Node) -> Iterable[Node]:
        for child in node.children():
            yield child if self._keeps(child) else _SEEN

    def _keeps(self, child: Node) -> bool:
        try:
            return bool(self.filter.find([load(child.raw)]))
        except NotJson:
            return False
