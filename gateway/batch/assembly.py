"""From results to the answer, in the order asked: entries that a dialect only has to spell.

`select` and `omit` are applied here, to what is answered; references have seen everything.
"""

from gateway.batch.content import EMPTY, JSON, Content
from gateway.batch.jsonpath import JsonPath, TooManyVisits
from gateway.batch.limits import Limits
from gateway.batch.operation import Select
from gateway.batch.results import Result
from gateway.batch.step import Plan
from gateway.jsontext import Node, Record, dump, fragment
from gateway.messages import Reason, Response


class Entry(Record, frozen=True):
    """One operation in the answer: its result, and what of its body is answered, None where that is left out.

    `entries` are the forEach children or the nested operations.
    """

    result: Result
    content: Content | None = None
    warning: Reason | None = None
    entries: "tuple[Entry, ...] | None" = None


def assemble(plan: Plan, results: tuple[Result, ...], limits: Limits) -> tuple[Entry, ...]:
    """The entries of the whole answer: top-level operations in the order asked, with what belongs below each."""
    return _entries(plan, results, plan.top, limits)


def assemble_one(plan: Plan, results: list[Result | None], index: int, limits: Limits) -> Entry:
    """The entry of one step that has ended, as have those that belong below it. The other results may still be to come."""
    result = results[index]
    if result is None:
        raise LookupError(f"step {index} has not ended")
    below = None
    if result.items is not None:
        below = tuple([_entry(item, None, limits) for item in result.items])
    elif nested := plan.steps[index].nested:
        below = tuple([assemble_one(plan, results, child, limits) for child in nested])
    return _entry(result, below, limits)


def _entries(plan: Plan, results: tuple[Result, ...], indexes: tuple[int, ...], limits: Limits) -> tuple[Entry, ...]:
    entries = []
    for index in indexes:
        result, nested = results[index], plan.steps[index].nested
        below = None
        if result.items is not None:
            below = tuple([_entry(item, None, limits) for item in result.items])
        elif nested:
            below = _entries(plan, results, nested, limits)
        entries.append(_entry(result, below, limits))
    return tuple(entries)


def _entry(result: Result, below: tuple[Entry, ...] | None, limits: Limits) -> Entry:
    """There is content in a response, as far as its operation asks for it; none in a failure, or what is a sum of items."""
    operation, content = result.operation, result.content
    if not isinstance(result.outcome, Response) or result.items is not None:
        return Entry(result, None, None, below)
    if operation.omit or (operation.omit_on_success and result.succeeded):
        return Entry(result, None, content.warning, below)
    if operation.select is not None and result.succeeded and content.kind is JSON:
        try:
            content = Content(JSON, select(operation.select, content.body, limits), warning=content.warning)
        except (TooManyVisits, TooLarge):
            return Entry(result, EMPTY, Reason.REFERENCE_TOO_LARGE, below)
    return Entry(result, content, content.warning, below)


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
