"""What pydantic found, said in our words and with a place in the file.

Its own messages are never used: they repeat the value, which may be a secret.
"""

import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from gateway.config.nodes import MapNode, Node, ScalarNode, describe, find, is_substituted
from gateway.config.problems import Mark, Path, ProblemList, Wrong, suggest
from gateway.config.settings import Settings


def report(errors: Sequence[ErrorDetails], broken: Sequence[Path], tree: MapNode, problems: ProblemList) -> None:
    """Add a problem for every error that is not a consequence of another one, or of a value that is `broken` already."""
    wrong = [error["loc"] for error in errors] + list(broken)
    above_wrong = {path[:length] for path in wrong for length in range(len(path))}
    meant = {(*path[:-1], guess) for path, guess in map(_guess, errors) if guess}
    for error in errors:
        path = error["loc"]
        if any(path[: len(other)] == other for other in broken):
            continue
        if error["type"] == "missing" and path in meant:
            continue  # it is there, with a spelling mistake
        if error["type"] == "too_short" and path in above_wrong:
            continue  # pydantic does not count the items that are wrong
        found, mark, message = word(error, tree)
        problems.add(mark, found, message)


def word(error: ErrorDetails, tree: Node) -> tuple[Path, Mark, str]:
    """Path, place and message of one error."""
    is_key = error["loc"][-1:] == ("[key]",)
    asked = error["loc"][:-1] if is_key else error["loc"]
    path, key_mark, node = find(tree, asked)
    match error["type"]:
        case "missing":
            return asked, key_mark, "is required"
        case "extra_forbidden":
            return path, key_mark, f"is not a setting{_did_you_mean(_guess(error)[1])}"
        case _ if is_key:
            key = str(asked[-1])
            return path, key_mark, _explain(error, ScalarNode(key, key_mark, key))
        case _:
            return path, node.mark if isinstance(node, ScalarNode) else key_mark, _explain(error, node)


def _explain(error: ErrorDetails, node: Node) -> str:
    found = f", got {describe(node)}"
    wrong = error.get("ctx", {}).get("error")
    if isinstance(wrong, Wrong):
        suggestion = "" if is_substituted(node) else wrong.suggestion  # it resembles what was found
        return f"{wrong.message}{found if wrong.shows_value else ''}{_did_you_mean(suggestion)}"
    match error["type"]:
        case "list_type" | "tuple_type" if isinstance(node, ScalarNode) and isinstance(node.value, str):
            return f"must be a list{found}" + ("" if is_substituted(node) else f": write [{describe(node)}]")
        case "list_type" | "tuple_type":
            return f"must be a list{found}"
        case "too_short":
            return "must not be empty"
        case _:
            return f"must be a mapping of settings{found}"


def _guess(error: ErrorDetails) -> tuple[Path, str]:
    """Path of an unknown key, and the key that was probably meant."""
    path = error["loc"]
    if error["type"] != "extra_forbidden":
        return path, ""
    return path, suggest(path[-1], known_keys(path[:-1]))


def _did_you_mean(suggestion: str) -> str:
    return f' (did you mean "{suggestion}"?)' if suggestion else ""


def known_keys(path: Path) -> tuple[str, ...]:
    """The settings that may stand in the section at `path`."""
    section: type[BaseModel] = Settings
    parts = iter(path)
    for part in parts:
        annotation = section.model_fields[str(part)].annotation
        if typing.get_origin(annotation) in (Mapping, tuple):
            next(parts, None)  # a name or an index
        inner = _find_section(annotation)
        if inner is None:
            return ()
        section = inner
    return tuple(field.alias or name for name, field in section.model_fields.items())


def _find_section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_find_section(argument) for argument in typing.get_args(annotation))
    return next((section for section in found if section is not None), None)
