"""From results to the answer, in the order asked: entries that a dialect only has to spell.

`select` and `omit` are applied here, to what is answered; references have seen everything.
"""

from gateway.batch.content import EMPTY, Content, Kind
from gateway.batch.jsonpath import JsonPath, TooManyVisits
from gateway.batch.limits import Limits
from gateway.batch.operation import Operation, Select
from gateway.batch.results import Result
from gateway.batch.step import Plan
from gateway.jsontext import Node, Record, dump, fragment
from gateway.messages import Failure, Headers, Reason


class Entry(Record, frozen=True):
    """One operation in the answer.

    Times are in milliseconds, None where nothing was sent; `failure` only if the status is the gateway's.
    `content` is None where the body is left out. `entries` are the forEach children or the nested operations.
    """

    operation: Operation
    status: int
    path: str
    headers: Headers = ()
    content: Content | None = None
    duration: float | None = None
    queued: float | None = None
    failure: Failure | None = None
    warning: Reason | None = None
    item: int | None = None
    entries: "tuple[Entry, ...] | None" = None


def assemble(plan: Plan, results: tuple[Result, ...], limits: Limits) -> tuple[Entry, ...]:
    """The entries of the whole answer: top-level operations in the order asked, with what belongs below each."""
    return tuple(_entry_of_step(plan, results, index, limits) for index in plan.top)


def _entry_of_step(plan: Plan, results: tuple[Result, ...], index: int, limits: Limits) -> Entry:
    nested = plan.steps[index].nested
    below = tuple(_entry_of_step(plan, results, child, limits) for child in nested) if nested else None
    result = results[index]
    if result.items is not None:
        below = tuple(_entry(item, limits, None) for item in result.items)
    return _entry(result, limits, below)


def _entry(result: Result, limits: Limits, below: tuple[Entry, ...] | None) -> Entry:
    operation, outcome = result.operation, result.outcome
    duration = queued = None
    if result.started is not None:
        duration = round(result.duration * 1000, 1)
        queued = round(outcome.queued * 1000, 1) if outcome.queued else 0.0
    path = operation.path if result.target is None else result.target
    if isinstance(outcome, Failure):
        return Entry(operation, result.status, path, (), None, duration, queued, outcome, None, result.item, below)
    content, warning = _answered(result, limits)
    return Entry(operation, outcome.status, path, outcome.headers, content, duration, queued, None, warning, result.item, below)


def _answered(result: Result, limits: Limits) -> tuple[Content | None, Reason | None]:
    """The body to answer and the warning that goes with it."""
    operation, content = result.operation, result.content
    if result.items is not None:
        return None, None
    if operation.omit or (operation.omit_on_success and result.succeeded):
        return None, content.warning
    if operation.select is not None and result.succeeded and content.kind is Kind.JSON:
        try:
            return Content(Kind.JSON, select(operation.select, content.body, limits)), content.warning
        except (TooManyVisits, TooLarge):
            return EMPTY, Reason.REFERENCE_TOO_LARGE
    return content, content.warning


class TooLarge(Exception):
    """What a selection picks is larger than what it picks from."""


def select(wanted: Select, body: bytes, limits: Limits) -> bytes:
    """What `wanted` picks from a JSON body: a value, or an object of values. Singular and missing is null, otherwise a list.

    Its paths share the visits one reference may make: TooManyVisits. TooLarge if what they pick is larger than the body, and
    than a reference's value may be: a path can pick one value a hundred times.
    """
    root = Node(body)
    visits = limits.value_visits // max(len(wanted.paths), 1)
    found = {name: (path, path.find(root, visits)) for name, path in wanted.paths}
    if sum(node.size() for _, nodes in found.values() for node in nodes) > max(len(body), limits.value):
        raise TooLarge
    picked = {name: _spell(path, nodes) for name, (path, nodes) in found.items()}
    if None in picked:
        return picked[None]
    return dump({name: fragment(value) for name, value in picked.items()})


def _spell(path: JsonPath, found: list[Node]) -> bytes:
    if path.singular:
        return found[0].text() if found else b"null"
    return b"[" + b",".join(node.text() for node in found) + b"]"
