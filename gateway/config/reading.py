"""Strict YAML: text to nodes with their places, or problems.

Refused: duplicate keys, tags, merge keys, a second document, words that YAML versions disagree about, tabs as indentation.
Anchors and aliases are taken, but what they expand to is bounded, and no value may hold itself.
"""

from dataclasses import dataclass

import yaml

from gateway.config.nodes import ListNode, MapNode, Node, ScalarNode, Substituted
from gateway.config.problems import Mark, Path, ProblemList, Wrong, quote
from gateway.config.scalars import resolve
from gateway.config.substitution import Surroundings, has_hole, substitute, without_defaults

LARGEST_TREE = 50_000
"""Values after aliases are expanded. A thousand upstreams with every setting written out stay below it."""

DEEPEST = 32
"""Levels of nesting; the settings themselves have six."""

AS_WRITTEN = frozenset({"catalogs", "views"})
"""Sections of templates: a `${…}` in them is a reference that each request fills, and nothing to fill in here."""


class StrictLoader(yaml.SafeLoader):
    """Composes nodes and builds no objects. Notes the places of explicit tags, which nodes no longer show."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.tags: list[tuple[yaml.Mark, str]] = []

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node, its tag noted if the file gives one."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        tag = getattr(event, "tag", None)
        if tag is not None:
            self.tags.append((event.start_mark, tag))
        return super().compose_node(parent, index)


def read_tree(text: str, problems: ProblemList, surroundings: Surroundings) -> MapNode | None:
    """The file as a tree with every `${…}` filled in. None if there is no tree; whatever is wrong is added to `problems`."""
    root = _compose(text, problems)
    if root is None:
        return None
    try:
        tree = _Reading(problems, surroundings).read(root, ())
    except Wrong as wrong:
        problems.add(Mark(1, 1), (), wrong.message)
        return None
    if isinstance(tree, MapNode):
        return tree
    if not (isinstance(tree, ScalarNode) and tree.broken):
        problems.add(tree.mark, (), "the file must be a mapping of settings, such as upstreams: …")
    return None


def _compose(text: str, problems: ProblemList) -> yaml.Node | None:
    try:
        loader = StrictLoader(text)
        root = loader.get_node() if loader.check_node() else None
        if root is None:
            problems.add(Mark(1, 1), (), "the file is empty: it needs upstreams at least")
            return None
        if loader.check_node():
            second = loader.get_node()
            place = _place(second.start_mark) if second else Mark(1, 1)
            problems.add(place, (), "a second document begins here: a configuration is one document")
    except yaml.MarkedYAMLError as error:
        problems.add(*_explain(error, text))
        return None
    except yaml.reader.ReaderError as error:
        problems.add(_place_of(text, error.position), (), f"the character U+{error.character:04X} is not allowed in YAML")
        return None
    except RecursionError:
        problems.add(Mark(1, 1), (), "the file is nested too deeply to be read")
        return None
    for mark, tag in loader.tags:
        problems.add(_place(mark), (), f"the tag {quote(tag)} is not supported: write the value without it")
    return root


def _explain(error: yaml.MarkedYAMLError, text: str) -> tuple[Mark, Path, str]:
    mark = error.problem_mark or error.context_mark
    place = _place(mark) if mark else Mark(1, 1)
    line = text.splitlines()[place.line - 1] if place.line <= len(text.splitlines()) else ""
    blanks = line[: len(line) - len(line.lstrip())]
    if "\t" in blanks:
        return Mark(place.line, blanks.index("\t") + 1), (), "a tab is used as indentation: YAML wants spaces"
    detail = " ".join(part for part in (error.context, error.problem) if part)
    hint = ', or a value beginning with "${" inside { } needs quotes' if "${" in line else ""
    return place, (), f"this is not valid YAML: {detail}{hint}"


@dataclass(slots=True)
class _Reading:
    """One walk over the composed nodes; counts what aliases expand to, and knows which nodes it is inside of."""

    problems: ProblemList
    surroundings: Surroundings
    count: int = 0
    inside: tuple[int, ...] = ()

    def read(self, node: yaml.Node, path: Path) -> Node:
        mark = _place(node.start_mark)
        self.count += 1
        if self.count > LARGEST_TREE:
            raise Wrong(f"the file has more than {LARGEST_TREE} values, or aliases that expand to more")
        if id(node) in self.inside or len(self.inside) >= DEEPEST:
            return self._refuse(mark, path, "is nested too deeply, or inside itself")
        if isinstance(node, yaml.ScalarNode):
            return self._read_scalar(node, mark, path)
        self.inside = (*self.inside, id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._read_mapping(node, mark, path)
            return ListNode(tuple(self.read(item, (*path, index)) for index, item in enumerate(node.value)), mark)
        finally:
            self.inside = self.inside[:-1]

    def _read_mapping(self, node: yaml.MappingNode, mark: Mark, path: Path) -> MapNode:
        entries: dict[str, tuple[Mark, Node]] = {}
        for key_node, value_node in node.value:
            key_mark = _place(key_node.start_mark)
            key = self._read_key(key_node, key_mark, path)
            if key is None:
                continue
            if key in entries:
                self.problems.add(key_mark, (*path, key), f"is given twice, first on line {entries[key][0].line}")
                continue
            entries[key] = key_mark, self.read(value_node, (*path, key))
        return MapNode(entries, mark)

    def _read_key(self, node: yaml.Node, mark: Mark, path: Path) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self.problems.add(mark, path, "has a key that is not text")
            return None
        if node.style is None and node.value == "<<":
            self.problems.add(mark, path, "has a merge key (<<), which is not supported: write the settings out")
            return None
        try:
            key = node.value if node.style else resolve(node.value)
        except Wrong as wrong:
            self.problems.add(mark, path, f"has a key that {wrong.message}")
            return None
        if not isinstance(key, str):
            self.problems.add(mark, path, f"has a key that is not text: {node.value or 'nothing'}; write it in quotes")
            return None
        return key

    def _read_scalar(self, node: yaml.ScalarNode, mark: Mark, path: Path) -> ScalarNode:
        text: str = node.value
        try:
            if has_hole(text) and not (path and path[0] in AS_WRITTEN):
                return ScalarNode(Substituted(substitute(text, self.surroundings)), mark, without_defaults(text))
            return ScalarNode(text if node.style else resolve(text), mark, text)
        except Wrong as wrong:
            return self._refuse(mark, path, wrong.message)

    def _refuse(self, mark: Mark, path: Path, message: str) -> ScalarNode:
        self.problems.add(mark, path, message)
        return ScalarNode(None, mark, "", broken=True)


def _place(mark: yaml.Mark) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


def _place_of(text: str, position: int) -> Mark:
    before = text[:position]
    return Mark(before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1)
