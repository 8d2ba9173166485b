"""What can be wrong with a configuration, and how it is said."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

Path = tuple[str | int, ...]
"""Where a value stands: keys and list indexes from the top, such as `("upstreams", "users", "routes", 0)`."""


class Mark(NamedTuple):
    """A place in a file, counted from 1. Line 0 means the file as a whole."""

    line: int
    column: int


class Wrong(ValueError):
    """One value is not acceptable. The message goes on from the setting's path: "must be positive".

    `shows_value` says whether what was found may be repeated: never where it may be a secret.
    """

    def __init__(self, message: str, suggestion: str = "", shows_value: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion
        self.shows_value = shows_value


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing wrong, at one place. `path` is dotted, "" for the file as a whole; `message` goes on from the path."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path} {self.message}" if self.path else f"{place}: {self.message}"


class ConfigurationError(Exception):
    """The configuration is refused. `problems` has everything found, in the order of the file."""

    def __init__(self, problems: tuple[ConfigProblem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(slots=True)
class ProblemList:
    """Collects the problems of one file."""

    file: str
    found: list[ConfigProblem] = field(default_factory=list)

    def add(self, mark: Mark, path: Path, message: str) -> None:
        """Note one problem."""
        self.found.append(ConfigProblem(self.file, mark.line, mark.column, name_path(path), message))

    def refuse(self) -> ConfigurationError:
        """The exception that carries all of them, each said once."""
        ordered = sorted(set(self.found), key=lambda problem: (problem.line, problem.column, problem.path, problem.message))
        return ConfigurationError(tuple(ordered))


def name_path(path: Path) -> str:
    """`("upstreams", "users", "routes", 0)` as `upstreams.users.routes[0]`."""
    named = ""
    for part in path:
        if isinstance(part, int):
            named += f"[{part}]"
        elif re.fullmatch(r"[\w-]+", part):
            named += f".{part}" if named else part
        else:
            named += f"[{quote(part)}]"
    return named


def quote(text: str) -> str:
    """Text from a file made safe for one line of a terminal: quoted, control characters escaped, long text cut."""
    cut = text if len(text) <= 60 else text[:59] + "…"
    escaped = "".join(character if character.isprintable() else repr(character)[1:-1] for character in cut)
    return f'"{escaped}"'


def suggest(found: object, known: Iterable[str]) -> str:
    """The known word that was probably meant, or ""."""
    close = difflib.get_close_matches(found, list(known), 1, 0.6) if isinstance(found, str) else []
    folded = [word for word in known if isinstance(found, str) and word.casefold() == found.casefold()]
    return (folded or close or [""])[0]
