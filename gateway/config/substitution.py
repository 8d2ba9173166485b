"""`${…}` in a value: environment variables and mounted secret files.

    ${NAME}            the variable; not set is a problem, never silently empty
    ${NAME:-default}   the default where it is not set or empty
    ${NAME:?message}   the message as a problem where it is not set or empty
    ${env:NAME…}       the same, as the OpenTelemetry collector spells it
    ${file:/path}      the file's text without its last line end; a relative path starts at the configuration's folder
    $${                a literal ${

Filled in after the YAML is parsed and never read again, so a value cannot change the structure or bring in another variable.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.config.problems import Wrong, quote

HOLE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
VARIABLE = re.compile(r"(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?:(:-|:\?)(.*))?", re.DOTALL)
FORMS = "write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${file:/path}, and $${ for a literal ${"
LARGEST_FILE = 1 << 20


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a configuration may take from outside: the environment, and files, found from `folder` if their path is relative."""

    environ: Mapping[str, str]
    folder: Path


def has_hole(text: str) -> bool:
    """Whether there is anything to fill in, or an escape to take away."""
    return "${" in text


def substitute(text: str, surroundings: Surroundings) -> str:
    """The text with every `${…}` filled in. Raises Wrong; no message holds what a variable or a file contained."""

    def fill(hole: re.Match[str]) -> str:
        if hole[0] == "$${":
            return "${"
        if not hole[2]:
            raise Wrong(f"has a ${{ that is never closed: {FORMS}", shows_value=False)
        return _look_up(hole[1], surroundings)

    return HOLE.sub(fill, text)


def without_defaults(text: str) -> str:
    """The text as a message may show it: the names of variables, and not the defaults, which may be secrets too."""
    return re.sub(r":[-?][^}]*", "", text)


def _look_up(inside: str, surroundings: Surroundings) -> str:
    if inside.startswith("file:"):
        return _read_secret(surroundings.folder / inside[len("file:") :])
    variable = VARIABLE.fullmatch(inside)
    if variable is None:
        raise Wrong(f"has ${{{without_defaults(inside)}}}, which is not understood: {FORMS}", shows_value=False)
    name, operator, operand = variable.groups()
    value = surroundings.environ.get(name)
    if operator is None and value is None:
        raise Wrong(f"needs the environment variable {name}, which is not set", shows_value=False)
    if operator == ":?" and not value:
        raise Wrong(f"needs the environment variable {name}: {operand or 'it is not set or empty'}", shows_value=False)
    return operand if operator == ":-" and not value else value or ""


def _read_secret(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a usable path"
        raise Wrong(f"needs the file {quote(str(path))}, which cannot be read: {reason}", shows_value=False) from None
    if len(content) > LARGEST_FILE:
        raise Wrong(f"needs the file {quote(str(path))}, which is larger than 1MiB", shows_value=False)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise Wrong(f"needs the file {quote(str(path))}, which is not UTF-8", shows_value=False) from None
    return text.removesuffix("\n").removesuffix("\r")
