"""A configuration file as a tree: what stands where, and at which line and column."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.config.problems import Mark, Path, quote

Value = str | int | float | bool | None


class Substituted(str):
    """Text that came out of `${…}`. It has no type of its own yet: the setting it stands for decides."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """One value. `source` is its text in the file; `broken`: a problem is noted already and the value means nothing."""

    value: Value
    mark: Mark
    source: str
    broken: bool = False


@dataclass(frozen=True, slots=True)
class ListNode:
    """Values in order."""

    items: tuple["Node", ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class MapNode:
    """Values by key, each with the place of its key."""

    entries: dict[str, tuple[Mark, "Node"]]
    mark: Mark


Node = ScalarNode | ListNode | MapNode


def find(tree: Node, path: Path) -> tuple[Path, Mark, Node]:
    """The node at `path`, or the deepest on the way to it: how far it goes, the place of its key, and the node."""
    mark, node = tree.mark, tree
    for length, part in enumerate(path):
        match node:
            case MapNode(entries) if part in entries:
                mark, node = entries[str(part)]
            case ListNode(items) if isinstance(part, int) and part < len(items):
                node = items[part]
                mark = node.mark
            case _:
                return path[:length], mark, node
    return path, mark, node


def as_plain(node: Node, skipped: frozenset[Path] = frozenset(), path: Path = ()) -> Any:
    """The tree as dicts, lists and scalars, without the entries at the `skipped` paths."""
    match node:
        case MapNode(entries):
            kept = {key: child for key, (_, child) in entries.items() if (*path, key) not in skipped}
            return {key: as_plain(child, skipped, (*path, key)) for key, child in kept.items()}
        case ListNode(items):
            return [as_plain(item, skipped, (*path, index)) for index, item in enumerate(items)]
        case ScalarNode(value):
            return value


def find_broken(node: Node, path: Path = ()) -> Iterator[Path]:
    """The paths of all values that have a problem already."""
    match node:
        case MapNode(entries):
            for key, (_, child) in entries.items():
                yield from find_broken(child, (*path, key))
        case ListNode(items):
            for index, item in enumerate(items):
                yield from find_broken(item, (*path, index))
        case ScalarNode(broken=True):
            yield path
        case ScalarNode():
            return


def describe(node: Node) -> str:
    """What was found, as a message may say it. A substituted value is named and never shown."""
    match node:
        case MapNode():
            return "a mapping"
        case ListNode():
            return "a list"
        case ScalarNode(value=Substituted(), source=source):
            return f"the value of {source}"
        case ScalarNode(value=str(text)):
            return quote(text)
        case ScalarNode(value=None):
            return "nothing"
        case ScalarNode(source=source):
            return source


def is_substituted(node: Node) -> bool:
    """Whether the value came from outside the file, so that no message may repeat it or anything made of it."""
    return isinstance(node, ScalarNode) and isinstance(node.value, Substituted)
