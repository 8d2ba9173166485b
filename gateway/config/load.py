"""A configuration file to settings, or to every problem at once.

text ── reading ──> nodes ── pydantic ──> settings ── checks ──> settings
             └────────────── problems ───────┴──────────┘
"""

from collections.abc import Mapping
from pathlib import Path as FilePath

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.config.checks import Finding, check
from gateway.config.nodes import MapNode, ScalarNode, as_plain, describe, find, find_broken
from gateway.config.problems import ConfigProblem, ConfigurationError, Mark, Path, ProblemList
from gateway.config.reading import read_tree
from gateway.config.settings import Settings
from gateway.config.substitution import Surroundings
from gateway.config.wording import report


def load(path: FilePath, environ: Mapping[str, str]) -> Settings:
    """The settings in a file. Relative paths in it start at its folder. Raises ConfigurationError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        problem = ConfigProblem(str(path), 0, 0, "", f"cannot be read: {error.strerror}")
        raise ConfigurationError((problem,)) from None
    return load_bytes(content, str(path), environ, path.parent)


def load_bytes(content: bytes, name: str, environ: Mapping[str, str], folder: FilePath = FilePath()) -> Settings:
    """The settings in the bytes of a file called `name`. Raises ConfigurationError."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The error counts from behind a byte order mark, if there is one.
        before = error.object[: error.start].decode("utf-8", "replace")
        place = Mark(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        found = f"the file must be UTF-8, got the byte 0x{error.object[error.start]:02x}"
        raise ConfigurationError((ConfigProblem(name, *place, "", found),)) from None
    return load_text(text, name, environ, folder)


def load_text(text: str, name: str, environ: Mapping[str, str], folder: FilePath = FilePath()) -> Settings:
    """The settings in a text; `name` is what problems call it. Raises ConfigurationError."""
    problems = ProblemList(name)
    tree = read_tree(text, problems, Surroundings(environ, folder))
    settings = None if tree is None else _make_settings(tree, problems, folder)
    if settings is None or problems.found:
        raise problems.refuse()
    return settings


def _make_settings(tree: MapNode, problems: ProblemList, folder: FilePath) -> Settings:
    """Settings from a tree. Where something is wrong the rest is made without it, so that the rest is checked too.

    A. Validate everything, and report what is wrong, except where reading has reported a problem already.
    B. Leave out what is wrong; what then lacks something is wrong itself, and so on up. At the top nothing is required.
    C. Check settings against each other, except where something was left out.
    """
    broken = list(find_broken(tree))
    left_out = frozenset(_entry_of(path) for path in broken)
    settings, errors = _validate(tree, frozenset(), folder)
    report(errors, broken, tree, problems)  # A
    while settings is None:
        left_out |= {_entry_of(error["loc"][:-1] if error["type"] == "missing" else error["loc"]) for error in errors}  # B
        settings, errors = _validate(tree, left_out, folder)
    for finding in check(settings):  # C
        if not any(_overlap(one, other) for one in (finding.path, *finding.compared) for other in left_out):
            mark, message = _place(tree, finding)
            problems.add(mark, finding.path, message)
    return settings


def _validate(tree: MapNode, left_out: frozenset[Path], folder: FilePath) -> tuple[Settings | None, list[ErrorDetails]]:
    try:
        return Settings.model_validate(as_plain(tree, left_out), context=folder), []
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        # A default made of other settings cannot be made while one of those is wrong: that one is among the errors too.
        return None, [found for found in errors if found["type"] != "default_factory_not_called"]


def _place(tree: MapNode, finding: Finding) -> tuple[Mark, str]:
    """Where to show a finding, and what it says: a default is not in the file, then what it was compared with is."""
    for path in (finding.path, *finding.compared):
        found, mark, node = find(tree, path)
        if found == path and isinstance(node, ScalarNode):
            return node.mark, f"{finding.message}, got {describe(node)}" if path == finding.path else finding.message
        if found == path:
            return mark, finding.message
    return find(tree, finding.path)[1], finding.message


def _entry_of(path: Path) -> Path:
    """The entry to leave out for an error at `path`: a list goes as a whole, so that the indexes of the rest stay right."""
    lists = [length for length, part in enumerate(path) if isinstance(part, int) or part == "[key]"]
    return path[: lists[0]] if lists else path


def _overlap(one: Path, other: Path) -> bool:
    shared = min(len(one), len(other))
    return one[:shared] == other[:shared]
