"""Typed batches: bytes to operations, and what is wrong with each element that becomes none.

decode
  a  the query has a customer id
  b  the bytes are JSON as RFC 8259 has it: an object with a list
  c  each element is of a kind that the catalog has, and fits its schema
"""

from difflib import get_close_matches
from urllib.parse import parse_qsl

from gateway.batch.catalog import Catalog, Kind
from gateway.batch.headers import shorten
from gateway.batch.limits import Limits
from gateway.batch.operation import Envelope, Operation
from gateway.batch.schema import load_exactly
from gateway.dialects.collector_shapes import Element
from gateway.dialects.dialect import Asked
from gateway.dialects.fields import describe
from gateway.errors import Problem, Refusal
from gateway.jsontext import NotJson, Raw, check_document, dump, elements, members
from gateway.messages import Reason

CUSTOMER = ("customerId", "customer_id")
"""What the clients send, and what the vendor's documentation says."""

_TYPE = "request_type"


def decode(asked: Asked, catalog: Catalog, limits: Limits) -> Envelope:
    """The envelope; its `own` is a tuple of Elements, one for each that was sent. A Refusal if nothing can be made of it."""
    query = dump({CUSTOMER[0]: _customer(asked.query)})
    operations: list[Operation] = []
    told: list[Element] = []
    kinds: dict[str, Kind] = {}
    for index, element in enumerate(_elements(asked.body, limits)):
        text = bytes(element)
        name, errors = _judge(element, text, catalog)
        if name:
            if name not in kinds:
                kinds[name] = catalog.kinds[name].with_query(query)
            operations.append(kinds[name].make_operation(text, query, f"/batch/{index}"))
        told.append(Element(text, tuple(errors)))
    return Envelope(tuple(operations), coalesce=False, own=tuple(told))


# a
def _customer(query: str) -> str:
    try:
        found = {value for name, value in parse_qsl(query, errors="strict") if name in CUSTOMER}
    except UnicodeDecodeError:
        raise _refuse("the query is not UTF-8, percent-encoded", Reason.BAD_REQUEST) from None
    if not found:
        raise _refuse("the query has no customerId", Reason.BAD_REQUEST)
    if len(found) > 1:
        raise _refuse("the query has more than one customerId", Reason.BAD_REQUEST)
    return found.pop()


# b
def _elements(body: bytes, limits: Limits) -> list[Raw]:
    try:
        check_document(body, limits.depth)
    except NotJson as error:
        raise Refusal(Reason.MALFORMED_JSON, str(error)) from None
    fields = members(body)
    if fields is None:
        raise _refuse('the body must be a JSON object, {"batch": [element, …]}')
    if "batch" not in fields:
        raise _refuse('batch is missing: the body is {"batch": [element, …]}')
    found = elements(fields["batch"])
    if found is None:
        raise _refuse(f"batch must be a list of elements, got {describe(fields['batch'])}")
    if len(found) > limits.operations:
        detail = f"{len(found)} elements, {limits.operations} are allowed in one batch"
        raise Refusal(Reason.TOO_MANY_OPERATIONS, detail, (Problem("/batch", Reason.TOO_MANY_OPERATIONS, detail),))
    return found


def _refuse(detail: str, reason: Reason = Reason.INVALID_ENVELOPE) -> Refusal:
    return Refusal(reason, detail, (Problem("", reason, detail),))


# c
def _judge(element: Raw, text: bytes, catalog: Catalog) -> tuple[str, list[str]]:
    """The kind of an element that is valid, or none and what is wrong with it. `text` is a copy of the element."""
    fields = load_exactly(text)
    if not isinstance(fields, dict):
        return "", [f"the element must be an object with a {_TYPE}, got {describe(element)}"]
    if _TYPE not in fields:
        return "", [f"{_TYPE} is required: {_known(catalog)}"]
    name = fields[_TYPE]
    if not isinstance(name, str):
        given = members(element) or {}
        return "", [f"{_TYPE} must be a string, got {describe(given[_TYPE])}"]
    kind = catalog.kinds.get(name)
    if kind is None:
        meant = get_close_matches(name[:40], catalog.kinds, n=1)
        hint = f"did you mean {meant[0]}?" if meant else _known(catalog)
        return "", [f"{_TYPE} {shorten(name)} is not known: {hint}"]
    wrong = kind.schema.problems_of_loaded(text, fields)
    return ("", [message for _, message in wrong]) if wrong else (name, [])


def _known(catalog: Catalog) -> str:
    return f"it is one of {', '.join(catalog.kinds)}"
