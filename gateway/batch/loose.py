"""Planning without knots: the plan of a batch in which nothing waits for what stands after it.

Most batches are of that kind, and there is no cycle to look for. It accepts or gives up; what it gives up on goes the long way,
batch.plan, which tells everything that is wrong. Where it accepts, both make the same plan: a test says so.
"""

from gateway.batch.limits import Limits
from gateway.batch.operation import Envelope, Operation
from gateway.batch.routes import Route, RouteTable
from gateway.batch.step import Plan, Step, fills_path, fixed_path
from gateway.jsontext import Record


def plan_loose(envelope: Envelope, routes: RouteTable, limits: Limits) -> Plan | None:
    """The plan of a batch in which operations wait for earlier ones only; None if it is not one, or something is wrong.

    One pass, and no graph: less than a third of the work of the planning that can tell what is wrong.
    """
    operations = envelope.operations
    if envelope.problems or not 0 < len(operations) <= limits.operations or routes.has_shares:
        return None
    chosen: list[Route] = []
    names: dict[str, int] = {}
    ties = _Ties(limits)
    for index, operation in enumerate(operations):
        path = fixed_path(operation.target)
        found = routes.look_up(path, operation.upstream)
        if len(found) != 1 or operation.method not in found[0].methods or operation.nested:
            return None
        for name, _ in operation.headers:
            if name == "cookie":
                return None
        if operation.references or operation.depends_on or operation.after or operation.parameters is not None:
            settled = fills_path(operation) and not routes.has_below(path)
            if not ties.add(index, operation, names, settled):
                return None
        if operation.name is not None:
            if operation.name in names:
                return None
            names[operation.name] = index
        chosen.append(found[0])
    return Plan(envelope, _steps(envelope, chosen, ties), tuple(range(len(operations))), names)


class _Tie(Record, frozen=True):
    """What a step that waits has and others do not, as in Step."""

    needs: tuple[int, ...]
    after: tuple[int, ...]
    stage: int
    settled: bool


_NOT_BEFORE = -1
"""In place of the index of an operation that stands later, or nowhere."""


class _Ties:
    """Which operations wait, and which are waited for, by index."""

    def __init__(self, limits: Limits) -> None:
        self.ties: dict[int, _Tie] = {}
        self.followers: dict[int, list[int]] = {}
        self._limits = limits
        self._references = 0

    def add(self, index: int, operation: Operation, names: dict[str, int], settled: bool) -> bool:
        """Note what an operation waits for, given those before it by name; False if some of it is wrong or not among them."""
        limits = self._limits
        count = len(operation.references)
        self._references += count
        if self._references > limits.references or count > limits.references_per_operation:
            return False
        needs: set[int] = set()
        after: set[int] = set()
        if operation.after or operation.depends_on:
            if max(len(operation.after), len(operation.depends_on)) > limits.operations:
                return False
            after.update([names.get(name, _NOT_BEFORE) for name in operation.after])
            needs.update([names.get(name, _NOT_BEFORE) for name in operation.depends_on])
        for _, reference in operation.references:
            if reference.name:
                earlier = names.get(reference.name, _NOT_BEFORE)
                if earlier not in after:
                    needs.add(earlier)
            elif operation.parameters is None if reference.is_parameter() else operation.for_each is None:
                return False
        return self._tie(index, needs, after - needs, settled)

    def _tie(self, index: int, needs: set[int], after: set[int], settled: bool) -> bool:
        stage = 1
        for earlier in needs | after:
            if earlier == _NOT_BEFORE:
                return False
            tie = self.ties.get(earlier)
            stage = max(stage, 2 if tie is None else tie.stage + 1)
            self.followers.setdefault(earlier, []).append(index)
        self.ties[index] = _Tie(tuple(sorted(needs)), tuple(sorted(after)), stage, settled)
        return stage <= self._limits.dependency_depth


def _steps(envelope: Envelope, chosen: list[Route], ties: _Ties) -> tuple[Step, ...]:
    common = envelope.headers
    steps: list[Step] = []
    for index, (operation, route) in enumerate(zip(envelope.operations, chosen, strict=True)):
        headers = common + operation.headers if common else operation.headers
        if not ties.ties:
            steps.append(Step(index, operation, route, headers))
            continue
        followers = tuple(ties.followers.get(index, ()))
        tie = ties.ties.get(index)
        if tie is None:
            steps.append(Step(index, operation, route, headers, followers=followers))
        else:
            steps.append(Step(index, operation, route, headers, tie.needs, tie.after, followers, (), tie.stage, tie.settled))
    return tuple(steps)
