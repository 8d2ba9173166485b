"""From what a configuration says of a stored batch to a View, or to everything that is wrong with it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from gateway.batch.compile import Compiler, Rules, escape
from gateway.batch.headers import shorten
from gateway.batch.jsonpath import JsonPath
from gateway.batch.operation import Envelope, Operation, Select
from gateway.batch.plan import make_plan
from gateway.batch.routes import RouteTable
from gateway.batch.schema import BadSchema, Schema
from gateway.dialects.dialect import Asked
from gateway.dialects.native import Native
from gateway.dialects.native_encode import NATIVE
from gateway.dialects.view import Parameters, View, bind, walk
from gateway.errors import Problem, Refusal
from gateway.jsontext import Node, dump, load

ERRORS = "errors"
"""What an answer says of failed operations, beside what was picked."""


class Flaw(NamedTuple):
    """One thing wrong: with `envelope`, `parameters` or `select`, at a JSON Pointer into it."""

    field: str
    pointer: str
    detail: str


class BadView(Exception):
    """The stored batch cannot be used. `flaws` is everything that is wrong with it."""

    def __init__(self, flaws: list[Flaw]) -> None:
        super().__init__(flaws)
        self.flaws = flaws


def compile_view(
    envelope: bytes, parameters: Mapping[str, Any], select: str | Mapping[str, str] | None, rules: Rules, routes: RouteTable
) -> View:
    """The View of a native envelope, a JSON Schema of an object, and what to answer. Raises BadView."""
    flaws: list[Flaw] = []
    accepted = _compile_parameters(parameters, flaws)
    stored = _compile_envelope(envelope, rules, routes, flaws)
    operations = [] if stored is None else list(walk(stored.operations))
    if accepted is not None and not parameters.get("additionalProperties"):
        flaws += _find_unknown_parameters(operations, accepted.properties)
    names = [operation.name for operation in operations if operation.name is not None]
    wanted, reads = _compile_select(select, rules, names, flaws)
    if stored is None or accepted is None or flaws:
        raise BadView(flaws)
    return View(stored, accepted, wanted, reads, rules.limits)


def _compile_parameters(document: Mapping[str, Any], flaws: list[Flaw]) -> Parameters | None:
    # With `properties`, be they none, the library names what is not allowed.
    whole = {"additionalProperties": False, "properties": {}, **document, "type": "object"}
    try:
        schema = Schema(whole, "the parameters")
        # Defaults are checked among themselves: what else is required comes from the client.
        loose = Schema({keyword: value for keyword, value in whole.items() if keyword != "required"}, "the defaults")
    except BadSchema as error:
        flaws.append(Flaw("parameters", error.pointer, f"is no JSON Schema: {error.detail}"))
        return None
    if document.get("type", "object") != "object":
        flaws.append(Flaw("parameters", "/type", "must be object: parameters have names"))
    properties: Mapping[str, Any] = document.get("properties", {})
    defaults = {name: one["default"] for name, one in properties.items() if isinstance(one, dict) and "default" in one}
    for pointer, detail in loose.problems_of(defaults):
        name, slash, rest = pointer[1:].partition("/")
        flaws.append(Flaw("parameters", f"/properties/{name}/default{slash}{rest}", f"does not fit its own schema: {detail}"))
    return Parameters(schema, properties, {name: dump(value) for name, value in defaults.items()})


def _compile_envelope(text: bytes, rules: Rules, routes: RouteTable, flaws: list[Flaw]) -> Envelope | None:
    try:
        envelope = Native(NATIVE).decode(Asked(text), replace(rules, parameters=True))
        make_plan(bind(envelope, b"{}"), routes, rules.limits)
    except Refusal as refusal:
        problems = refusal.problems or (Problem("", refusal.reason, refusal.detail),)
        flaws += [Flaw("envelope", problem.pointer, f"is refused: {problem.detail}") for problem in problems]
        return None
    return envelope


def _find_unknown_parameters(operations: list[Operation], properties: Mapping[str, Any]) -> list[Flaw]:
    return [
        Flaw("envelope", pointer, f"is refused: {reference} names none of the parameters")
        for operation in operations
        for pointer, reference in operation.references
        if reference.is_parameter() and reference.path is not None and not _first_names(reference.path, list(properties))
    ]


def _compile_select(
    select: str | Mapping[str, str] | None, rules: Rules, names: list[str], flaws: list[Flaw]
) -> tuple[Select | None, frozenset[str]]:
    if select is None:
        return None, frozenset()
    problems: list[Problem] = []
    compiler = Compiler(rules, problems)
    texts: dict[str | None, str] = {None: select} if isinstance(select, str) else dict(select.items())
    paths: list[tuple[str | None, JsonPath]] = []
    reads: frozenset[str] = frozenset()
    for name, text in texts.items():
        pointer = "" if name is None else f"/{escape(name)}"
        path = compiler.select(text, pointer)
        if path is None:
            continue
        paths.append((name, path))
        read = _first_names(path, names)
        reads = read if name is None else reads
        if not read and names:
            flaws.append(Flaw("select", pointer, f"is refused: {shorten(text)} begins with the name of no operation"))
    if ERRORS in texts:
        flaws.append(Flaw("select", f"/{ERRORS}", "is refused: that is where the answer says what failed"))
    if not texts:
        flaws.append(Flaw("select", "", "must not be empty"))
    flaws += [Flaw("select", problem.pointer, f"is refused: {problem.detail}") for problem in problems]
    return Select(tuple(paths)), reads


def _first_names(path: JsonPath, names: list[str]) -> frozenset[str]:
    """Which of the names a path may begin with, in an object that has them all."""
    if not path.steps:
        return frozenset(names)
    document = Node(dump({name: name for name in names}))
    return frozenset(load(found.raw) for found in path.steps[0](document)) & frozenset(names)
