"""Catalogs: named kinds of operation from the configuration, each a JSON Schema and a template of the sub-request.

A client says which kind it wants and sends an element; what is sent upstream because of it is the configuration's choice. The
templates read `${param:$.element…}`, the element as sent, and `${param:$.query…}`, what the dialect took from the outer query.
The two stand apart, so that no element can pass for the query.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.batch.compile import Compiler, Rules
from gateway.batch.operation import HeaderChanges, JsonBody, Operation
from gateway.batch.reference import Parts, Reference
from gateway.batch.schema import BadSchema, Schema
from gateway.batch.target import encode_value
from gateway.batch.template import Hole, JsonParts, literal
from gateway.errors import Problem
from gateway.jsontext import Node, Record, load
from gateway.messages import Reason

_LONGEST_FILLED = 256
_BODILESS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Written:
    """A kind as the configuration has it. `body` is JSON text with references, or None for none.

    `passes_element`: the body is the element, byte for byte. Of several `paths` the first whose references have values counts.
    """

    schema: Any
    paths: tuple[str, ...]
    method: str = "POST"
    upstream: str | None = None
    headers: Mapping[str, str | None] | None = None
    body: bytes | None = None
    passes_element: bool = True


class Kind(Record, frozen=True):
    """A kind of operation, compiled."""

    name: str
    schema: Schema
    targets: tuple[tuple[str, Parts], ...]
    method: str
    upstream: str | None
    headers: HeaderChanges
    body: JsonParts | None
    passes_element: bool
    visits: int
    reads_beside: bool
    """Whether there are references in its headers or its body."""

    def make_operation(self, element: bytes, query: bytes, pointer: str) -> Operation:
        """The operation for an element, JSON text that fits the schema. `query` is the JSON text of an object."""
        path, target = self.targets[0]
        parameters = None
        if self.reads_beside or literal(target) is None:
            parameters = b'{"element":' + element + b',"query":' + query + b"}"
            if len(self.targets) > 1:
                path, target = self._choose(Node(parameters))
        body = JsonBody((element,)) if self.passes_element else None if self.body is None else JsonBody(self.body)
        return Operation(
            pointer=pointer,
            path=path,
            target=target,
            method=self.method,
            headers=self.headers,
            body=body,
            content_type=None if body is None else "application/json",
            upstream=self.upstream,
            parameters=parameters,
        )

    def with_query(self, query: bytes) -> "Kind":
        """The same kind with what it reads of an outer query filled in, as far as that can be done once for a whole batch."""
        values = Node(query)
        targets = tuple([(path, _fill_query(target, values)) for path, target in self.targets])
        return Kind(
            self.name,
            self.schema,
            targets,
            self.method,
            self.upstream,
            self.headers,
            self.body,
            self.passes_element,
            self.visits,
            self.reads_beside,
        )

    def _choose(self, parameters: Node) -> tuple[str, Parts]:
        for path, target in self.targets[:-1]:
            if all(isinstance(part, str) or self._has_value(part, parameters) for part in target):
                return path, target
        return self.targets[-1]

    def _has_value(self, reference: Reference, parameters: Node) -> bool:
        path = reference.path
        if path is None or not path.singular:
            return True
        found = path.find_one(parameters, self.visits)
        return found is not None and found.text() != b"null"


def _fill_query(target: Parts, values: Node) -> Parts:
    """A target without its references to strings of the outer query that stand in its own query, where any text may."""
    filled: list[str | Reference] = []
    in_query = False
    for part in target:
        known = part if isinstance(part, str) else _encoded(part, values) if in_query else None
        in_query = in_query or (isinstance(part, str) and "?" in part)
        last = filled[-1] if filled else None
        if known is not None and isinstance(last, str):
            filled[-1] = last + known
        else:
            filled.append(part if known is None else known)
    return tuple(filled)


def _encoded(reference: Reference, values: Node) -> str | None:
    path = reference.path
    if path is None or len(path.keys) != 2 or path.keys[0] != "query":
        return None
    found = values.member(str(path.keys[1]))
    # A long one is left to where the length of the whole target is checked.
    if found is None or found.size() > _LONGEST_FILLED or found.text()[:1] != b'"':
        return None
    return encode_value(load(found.raw))


@dataclass(frozen=True, slots=True)
class Catalog:
    """The kinds that a client may ask for, by name."""

    kinds: Mapping[str, Kind]


def compile_kind(name: str, written: Written, rules: Rules) -> tuple[Kind | None, list[Problem]]:
    """The kind, or everything wrong with it. Pointers: `/path/0`, `/headers/NAME`, `/body…`, `/schema…`.

    `rules` must read parameters.
    """
    problems: list[Problem] = []
    compiler = Compiler(rules, problems)
    targets = tuple([(path, compiler.target(path, f"/path/{index}")) for index, path in enumerate(written.paths)])
    headers = tuple([compiler.header(key, value, f"/headers/{key}") for key, value in (written.headers or {}).items()])
    body = None if written.body is None else compiler.json_body(written.body, "/body")
    if written.body is not None and written.method in _BODILESS:
        compiler.wrong("/body", Reason.INVALID_BODY, f"{written.method} takes no body")
    for pointer, reference in compiler.references:
        if not reference.is_parameter():
            detail = f"{reference} has nothing to read here: a kind reads ${{param:$.element…}} and ${{param:$.query…}}"
            compiler.wrong(pointer, Reason.INVALID_REFERENCE, detail)
    if len(compiler.references) > rules.limits.references_per_operation:
        detail = f"more than {rules.limits.references_per_operation} references in one kind"
        compiler.wrong("", Reason.INVALID_REFERENCE, detail)
    try:
        schema = Schema(written.schema, "the element")
    except BadSchema as error:
        compiler.wrong(f"/schema{error.pointer}", Reason.INVALID_ENVELOPE, error.detail)
        return None, problems
    passes = written.passes_element and written.method not in _BODILESS
    visits = rules.limits.value_visits
    reads = any(parts is not None and literal(parts) is None for _, parts in headers)
    reads = reads or any(isinstance(part, Hole) for part in body or ())
    kind = Kind(name, schema, targets, written.method, written.upstream, headers, body, passes, visits, reads)
    return None if problems else kind, problems
