"""The answers to typed batches.

An entry is `{"code", "errors", "request"}`. What was accepted has 202, no errors and null; anything else has its status,
readable errors and the element, byte for byte as it was sent.
"""

from gateway.batch.assembly import Entry
from gateway.batch.content import Kind
from gateway.batch.operation import Envelope
from gateway.batch.results import Result
from gateway.dialects.collector_shapes import Element
from gateway.dialects.dialect import Encoded
from gateway.errors import Refusal, title_of
from gateway.jsontext import dump
from gateway.messages import Failure, Headers, Reason

_JSON: Headers = (("content-type", "application/json"),)
_ACCEPTED = b'{"code":202,"errors":[],"request":null}'
_INVALID = 400
_LONGEST_QUOTED = 500
"""Characters of what an upstream says about an element that are repeated to the client."""


def encode(envelope: Envelope, entries: tuple[Entry, ...]) -> Encoded:
    """An entry for each element, in the order sent."""
    own = envelope.own
    told: tuple[Element, ...] = own if isinstance(own, tuple) else ()
    results = iter(entries)
    listed: list[bytes] = []
    for element in told:
        listed.append(_entry(_INVALID, element.errors, element) if element.errors else _ended(next(results).result, element))
    status = 202 if listed.count(_ACCEPTED) == len(listed) else 207
    return Encoded(status, _JSON, b"[" + b",".join(listed) + b"]")


def encode_refused(refusal: Refusal, request_id: str) -> Encoded:
    """The answer where there is none for single elements, because nothing was sent."""
    status = refusal.status
    if status == 422:
        status = 413 if refusal.reason is Reason.TOO_MANY_OPERATIONS else _INVALID
    errors = [problem.detail for problem in refusal.problems] or [refusal.detail]
    return Encoded(status, (*_JSON, *refusal.headers), dump({"code": status, "errors": errors, "requestId": request_id}))


def _ended(result: Result, element: Element) -> bytes:
    if result.succeeded:
        return _ACCEPTED
    return _entry(result.status, (_explain(result),), element)


def _entry(code: int, errors: tuple[str, ...], element: Element) -> bytes:
    return b'{"code":%d,"errors":%b,"request":%b}' % (code, dump(errors), element.text)


def _explain(result: Result) -> str:
    """Why an element was not accepted that was valid."""
    outcome = result.outcome
    if isinstance(outcome, Failure):
        return f"{title_of(outcome.reason)}: {outcome.detail}"
    said = _quote(result)
    return f"the service answered {outcome.status}{': ' if said else ''}{said}"


def _quote(result: Result) -> str:
    content = result.content
    said = content.body.decode() if content.kind is Kind.JSON else content.text
    return said if len(said) <= _LONGEST_QUOTED else said[:_LONGEST_QUOTED] + "…"
