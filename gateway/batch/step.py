"""The plan of a batch as a value: its steps, what each waits for, and where each leads."""

from gateway.batch.operation import Envelope, HeaderChanges, Operation
from gateway.batch.reference import Parts
from gateway.batch.routes import Route
from gateway.batch.template import literal
from gateway.jsontext import Record


class Step(Record, frozen=True):
    """An operation in the plan. Numbers are indexes into the plan's steps.

    `needs` must have succeeded and `after` must have ended before it is sent; `followers` wait for it. `headers` are the
    envelope's changes, then the operation's. `stage` is the longest way from a step that waits for nothing, from 1.
    `settled`: nothing that fills the references in its path can lead it to another route, so none is looked up again.
    """

    index: int
    operation: Operation
    route: Route
    headers: HeaderChanges
    needs: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    followers: tuple[int, ...] = ()
    nested: tuple[int, ...] = ()
    stage: int = 1
    settled: bool = False


class Plan(Record, frozen=True):
    """A checked batch: its steps in the order asked, parents before what is nested in them."""

    envelope: Envelope
    steps: tuple[Step, ...]
    top: tuple[int, ...]
    names: dict[str, int]


def fixed_path(target: Parts) -> str:
    """What is certain of a path before anything is filled in: all, or the whole segments before a reference."""
    first = target[0] if target else ""
    if not isinstance(first, str):
        return ""
    path, question, _ = first.partition("?")
    return path if question or len(target) == 1 else path[: path.rfind("/") + 1]


def fills_path(operation: Operation) -> bool:
    """Whether something may be filled into its path, by what it says of its references; a template may leave them out."""
    return bool(operation.references) or (operation.parameters is not None and literal(operation.target) is None)
