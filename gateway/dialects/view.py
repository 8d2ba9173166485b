"""A stored batch as a dialect: a client gives parameters, and the envelope is the configuration's.

Parameters come from the query or, in a body, from a JSON object; a JSON Schema types and checks them. They are values and
nothing else: what stands in one is never read as a reference, a path or a header. The answer is the native dialect's, or what
`select` picks from an object of the operations' bodies by name. One that failed is null there: a singular path into it gives
null, any other an empty list.

    every operation succeeded            200  what was picked
    some failed, an object was picked    207  the same, and `errors` in it, one for each that failed
    what a single path reads has failed  502  problem details, with these errors
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.batch.assembly import Entry, TooLarge, select
from gateway.batch.compile import Rules
from gateway.batch.content import JSON, Content, Kind
from gateway.batch.jsonpath import TooManyVisits
from gateway.batch.limits import Limits
from gateway.batch.operation import Envelope, Operation, Select
from gateway.batch.results import Finished, Result
from gateway.batch.schema import Schema, find_repeated
from gateway.dialects.dialect import Asked, Encoded
from gateway.dialects.native_encode import NATIVE, encode
from gateway.dialects.problem import encode_refusal, problem_type
from gateway.dialects.query import read_query
from gateway.errors import Problem, Refusal, refuse_envelope, status_of, title_of
from gateway.jsontext import NotJson, Raw, change, check_document, dump, fragment, members
from gateway.messages import SAFE_METHODS, Failure, Headers, Reason

_FAILED = 502


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a client may give: the schema of the whole, that of each by name, and the JSON text of those with a default."""

    schema: Schema
    properties: Mapping[str, Any]
    defaults: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class View:
    """A stored batch. `reads` are the operations that a single selected path reads."""

    envelope: Envelope
    parameters: Parameters
    select: Select | None
    reads: frozenset[str]
    limits: Limits

    @property
    def name(self) -> str:
        """The same for all: what is asked for is told by its path."""
        return "view"

    @property
    def is_safe(self) -> bool:
        """Whether it changes nothing, so that a GET may ask for it."""
        return all(operation.method in SAFE_METHODS for operation in walk(self.envelope.operations))

    def decode(self, asked: Asked, rules: Rules) -> Envelope:
        """The stored envelope with parameters, or a Refusal with every problem they have."""
        given = _read_body(asked, rules) if asked.body else read_query(asked.query, self.parameters.properties)
        spelled: dict[str, bytes | Raw] = {**self.parameters.defaults, **given}
        text = dump({name: fragment(bytes(value)) for name, value in spelled.items()})
        wrong = self.parameters.schema.problems(text)
        if wrong:
            raise refuse_envelope([Problem(pointer, Reason.INVALID_PARAMETER, detail) for pointer, detail in wrong])
        return bind(self.envelope, text)

    def encode(self, envelope: Envelope, entries: tuple[Entry, ...], finished: Finished) -> Encoded:
        """What was picked, or the native answer where nothing is to be picked."""
        wanted = self.select
        if wanted is None:
            return encode(envelope, entries, finished, NATIVE)
        headers: Headers = (("batch-operations", str(finished.operations)), ("batch-failed", str(finished.failed)))
        errors = [_spell_error(result) for result in finished.results if not result.succeeded]
        if any(result.name in self.reads for result in finished.results if not result.succeeded):
            return _fail(_FAILED, Reason.DEPENDENCY_FAILED, f"{errors[0]['operation']}: {errors[0]['detail']}", errors, headers)
        document = dump({name: fragment(body) for name, body in _bodies(entries)})
        try:
            picked = select(wanted, document, self.limits)
        except (TooManyVisits, TooLarge):
            detail = "what is selected is too large, or takes too long to find"
            return _fail(status_of(Reason.ANSWER_TOO_LARGE), Reason.ANSWER_TOO_LARGE, detail, errors, headers)
        if errors and wanted.paths[0][0] is not None:
            picked = picked[:-1] + (b',"errors":' if picked != b"{}" else b'"errors":') + dump(errors) + b"}"
        return Encoded(207 if errors else 200, (("content-type", "application/json"), *headers), picked)

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """Problem details; their pointers lead into the object of parameters."""
        return encode_refusal(refusal, request_id)


def walk(operations: tuple[Operation, ...]) -> Iterator[Operation]:
    """All operations of a tree, parents first."""
    for operation in operations:
        yield operation
        yield from walk(operation.nested)


def bind(envelope: Envelope, parameters: bytes) -> Envelope:
    """The envelope with parameters, the JSON text of an object, for those operations that read some."""
    return change(envelope, operations=_bind(envelope.operations, parameters))


def _bind(operations: tuple[Operation, ...], parameters: bytes) -> tuple[Operation, ...]:
    return tuple([_bind_one(operation, parameters) for operation in operations])


def _bind_one(operation: Operation, parameters: bytes) -> Operation:
    if operation.nested:
        operation = change(operation, nested=_bind(operation.nested, parameters))
    for _, reference in operation.references:
        if reference.is_parameter():
            return change(operation, parameters=parameters)
    return operation


def _read_body(asked: Asked, rules: Rules) -> Mapping[str, Raw]:
    try:
        check_document(asked.body, rules.limits.depth)
    except NotJson as error:
        raise Refusal(Reason.MALFORMED_JSON, str(error)) from None
    if asked.query:
        detail = "parameters stand in the query or in the body, not in both"
        raise refuse_envelope([Problem("", Reason.INVALID_PARAMETER, detail)])
    given = members(asked.body)
    if given is None:
        detail = "the parameters must be a JSON object"
        raise refuse_envelope([Problem("", Reason.INVALID_PARAMETER, detail)])
    repeated = find_repeated(asked.body)
    if repeated:
        raise refuse_envelope([Problem(pointer, Reason.INVALID_PARAMETER, detail) for pointer, detail in repeated])
    return given


def _bodies(entries: tuple[Entry, ...]) -> Iterator[tuple[str, bytes]]:
    """The body of each operation that has a name, as JSON: of a forEach a list, of a failed one null."""
    for entry in entries:
        result, below = entry.result, entry.entries or ()
        each = result.items is not None
        if result.name is not None:
            yield result.name, b"[" + b",".join([_body(child) for child in below]) + b"]" if each else _body(entry)
        if not each:
            yield from _bodies(below)


def _body(entry: Entry) -> bytes:
    content = entry.content
    if content is None or not entry.result.succeeded:
        return b"null"
    return content.body if content.kind is JSON else _spell_text(content)


def _spell_text(content: Content) -> bytes:
    return dump(content.text) if content.kind is Kind.TEXT else b"null"


def _spell_error(result: Result) -> dict[str, Any]:
    """Which operation failed, and why; `reason` where the gateway made the status, `index` in a forEach."""
    spelled: dict[str, Any] = {"operation": result.operation.label}
    if result.item is not None:
        spelled["index"] = result.item
    spelled["status"] = result.status
    if isinstance(result.outcome, Failure):
        return spelled | {"reason": result.outcome.reason.value, "detail": result.outcome.detail}
    return spelled | {"detail": f"the upstream answered {result.status}"}


def _fail(status: int, reason: Reason, detail: str, errors: list[dict[str, Any]], headers: Headers) -> Encoded:
    problem = {
        "type": problem_type(reason),
        "title": title_of(reason),
        "status": status,
        "detail": detail,
        "reason": reason.value,
        "errors": errors,
    }
    return Encoded(status, (("content-type", "application/problem+json"), *headers), dump(problem))
