"""The plan: every operation of an envelope as a step that knows what it waits for and where it leads.

    make_plan
      a  list the operations of the tree in the order asked, name them
      b  give each its route, and check what may be sent there
      c  join each to what it waits for: dependsOn, after, references, the operation it is nested in
      d  find cycles, and chains that are too long

Everything is checked and every problem reported, or there is no plan; nothing is sent before there is one.
"""

from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from gateway.batch.headers import shorten
from gateway.batch.limits import Limits
from gateway.batch.loose import plan_loose
from gateway.batch.operation import Envelope, Operation
from gateway.batch.routes import Route, RouteTable
from gateway.batch.step import Plan, Step, fills_path, fixed_path
from gateway.errors import Problem, refuse_envelope
from gateway.messages import Reason


def make_plan(envelope: Envelope, routes: RouteTable, limits: Limits) -> Plan:
    """The plan of `envelope`, or a Refusal with everything that is wrong with it."""
    return plan_loose(envelope, routes, limits) or Planning(envelope, routes, limits).plan()


class Planning:
    """Planning one envelope; everything wrong with it is collected, then refused at once."""

    def __init__(self, envelope: Envelope, routes: RouteTable, limits: Limits) -> None:
        self.envelope = envelope
        self.routes = routes
        self.limits = limits
        self.problems = list(envelope.problems)
        self.reported = frozenset(problem.pointer for problem in envelope.problems)
        self.operations: list[Operation] = []
        self.parents: list[int | None] = []
        self.nested: list[list[int]] = []
        self.names: dict[str, int] = {}

    def plan(self) -> Plan:
        top = tuple(self._list(operation, None) for operation in self.envelope.operations)
        self._check_counts()
        if len(self.operations) > self.limits.operations:
            raise refuse_envelope(sorted(self.problems, key=_position))
        chosen = [self._route(operation) for operation in self.operations]
        self._check_shares(chosen)
        steps = self._steps(chosen)
        if self.problems:
            raise refuse_envelope(sorted(self.problems, key=_position))
        return Plan(self.envelope, steps, top, self.names)

    def _steps(self, chosen: list[Route | None]) -> tuple[Step, ...]:
        needs, after = self._join()
        stages = self._stages([n | a for n, a in zip(needs, after, strict=True)])
        followers: list[list[int]] = [[] for _ in self.operations]
        for index, (need, wait) in enumerate(zip(needs, after, strict=True)):
            for earlier in need | wait:
                followers[earlier].append(index)
        return tuple(
            Step(
                index=index,
                operation=operation,
                route=route,
                headers=self.envelope.headers + operation.headers,
                needs=tuple(sorted(needs[index])),
                after=tuple(sorted(after[index] - needs[index])),
                followers=tuple(followers[index]),
                nested=tuple(self.nested[index]),
                stage=stages[index],
                settled=fills_path(operation) and not self.routes.has_below(fixed_path(operation.target)),
            )
            for index, (operation, route) in enumerate(zip(self.operations, chosen, strict=True))
            if route is not None
        )

    def _wrong(self, pointer: str, reason: Reason, detail: str) -> None:
        self.problems.append(Problem(pointer, reason, detail))

    # a
    def _list(self, operation: Operation, parent: int | None) -> int:
        index = len(self.operations)
        self.operations.append(operation)
        self.parents.append(parent)
        self.nested.append([])
        if operation.name is not None:
            if operation.name in self.names:
                first = self.operations[self.names[operation.name]].pointer
                detail = f"the name {operation.name!r} is taken by {first}"
                self._wrong(f"{operation.pointer}/name", Reason.DUPLICATE_NAME, detail)
            else:
                self.names[operation.name] = index
        if operation.nested:
            self.nested[index].extend([self._list(child, index) for child in operation.nested])
        return index

    def _check_counts(self) -> None:
        limits = self.limits
        if len(self.operations) > limits.operations:
            found = len(self.operations)
            detail = f"{found} operations, {limits.operations} are allowed in one batch"
            self._wrong("/requests", Reason.TOO_MANY_OPERATIONS, detail)
        total = 0
        for operation in self.operations:
            total += len(operation.references)
            if len(operation.references) > limits.references_per_operation:
                detail = f"more than {limits.references_per_operation} references in one operation"
                self._wrong(operation.pointer, Reason.INVALID_REFERENCE, detail)
        if total > limits.references:
            detail = f"{total} references, {limits.references} are allowed in one batch"
            self._wrong("/requests", Reason.INVALID_REFERENCE, detail)

    # b
    def _route(self, operation: Operation) -> Route | None:
        if self.reported and f"{operation.pointer}/path" in self.reported:
            return None
        if operation.upstream is not None and operation.upstream not in self.routes.upstreams:
            detail = f"there is no upstream {shorten(operation.upstream)}"
            self._wrong(f"{operation.pointer}/upstream", Reason.UNKNOWN_UPSTREAM, detail)
            return None
        path = fixed_path(operation.target)
        found = self.routes.look_up(path, operation.upstream)
        if len(found) == 1:
            return self._checked(operation, found[0])
        if found:
            names = ", ".join(sorted(route.upstream for route in found))
            detail = f"several upstreams serve this path; say which with upstream: {names}"
        else:
            detail = f"no upstream serves {shorten(path or '/')}"
        self._wrong(f"{operation.pointer}/path", Reason.UNKNOWN_UPSTREAM, detail)
        return None

    def _checked(self, operation: Operation, route: Route) -> Route:
        if operation.method not in route.methods:
            allowed = ", ".join(sorted(route.methods))
            detail = f"{operation.method} is not allowed on {route.prefix}; allowed: {allowed}"
            self._wrong(f"{operation.pointer}/method", Reason.METHOD_NOT_ALLOWED, detail)
        for name, parts in operation.headers:
            if name == "cookie" and parts is not None and name not in route.policy.forward:
                detail = f"cookies are sent only to upstreams that forward them, and {route.upstream} does not"
                self._wrong(f"{operation.pointer}/headers", Reason.HEADER_NOT_ALLOWED, detail)
        return route

    def _check_shares(self, chosen: list[Route | None]) -> None:
        if not self.routes.has_shares:
            return
        for route, count in Counter(route for route in chosen if route is not None and route.max_per_batch).items():
            if count > route.max_per_batch:
                over = [self.operations[index] for index, one in enumerate(chosen) if one == route][route.max_per_batch]
                detail = f"{count} operations for {route.prefix}, {route.max_per_batch} are allowed in one batch"
                self._wrong(over.pointer, Reason.TOO_MANY_OPERATIONS, detail)

    # c
    def _join(self) -> tuple[list[set[int]], list[set[int]]]:
        needs: list[set[int]] = []
        after: list[set[int]] = []
        for index, operation in enumerate(self.operations):
            waits = self._known(operation, operation.after, "after")
            depends = self._known(operation, operation.depends_on, "dependsOn")
            depends |= {name for name in self._referenced(operation) if name not in waits}
            parent = self.parents[index]
            needs.append({self.names[name] for name in depends} | ({parent} if parent is not None else set()))
            after.append({below for name in waits for below in self._subtree(self.names[name])})
        return needs, after

    def _known(self, operation: Operation, names: tuple[str, ...], field: str) -> set[str]:
        """The names that some operation has; the others are problems, up to as many as there may be operations."""
        pointer = f"{operation.pointer}/{field}"
        if len(names) > self.limits.operations:
            detail = f"{len(names)} names, and a batch has at most {self.limits.operations} operations"
            self._wrong(pointer, Reason.INVALID_REFERENCE, detail)
            return set()
        for position, name in enumerate(names):
            if name not in self.names:
                detail = f"there is no operation named {shorten(name)}"
                self._wrong(f"{pointer}/{position}", Reason.INVALID_REFERENCE, detail)
        return {name for name in names if name in self.names}

    def _referenced(self, operation: Operation) -> Iterator[str]:
        for pointer, reference in operation.references:
            if reference.is_of_item():
                if operation.for_each is None:
                    self._wrong(pointer, Reason.INVALID_REFERENCE, f"{reference} stands outside a forEach operation")
            elif reference.is_parameter():
                if operation.parameters is None:
                    self._wrong(pointer, Reason.INVALID_REFERENCE, f"{reference}: there are no parameters")
            elif reference.name in self.names:
                yield reference.name
            else:
                self._wrong(pointer, Reason.INVALID_REFERENCE, f"{reference}: there is no operation named {reference.name!r}")

    def _subtree(self, index: int) -> Iterator[int]:
        yield index
        for child in self.nested[index]:
            yield from self._subtree(child)

    # d
    def _stages(self, waits: list[set[int]]) -> list[int]:
        graph = dict(enumerate(waits))
        try:
            order = tuple(TopologicalSorter(graph).static_order())
        except CycleError:
            graph = self._cut_cycles(graph)
            order = tuple(TopologicalSorter(graph).static_order())
        stages = [1] * len(waits)
        for index in order:
            if graph[index]:
                stages[index] = 1 + max([stages[earlier] for earlier in graph[index]])
        self._check_depth(stages)
        return stages

    def _cut_cycles(self, waits: dict[int, set[int]]) -> dict[int, set[int]]:
        """`waits` without its cycles, each of them told as a problem."""
        graph = dict(waits)
        for index in [index for index, wait in graph.items() if index in wait]:
            operation = self.operations[index]
            self._wrong(operation.pointer, Reason.DEPENDENCY_CYCLE, f"{operation.label} waits for itself")
            graph[index] = set()
        while (cycle := _find_cycle(graph)) is not None:
            first = min(cycle)
            start = cycle.index(first)
            labels = [self.operations[index].label for index in cycle[start:] + cycle[:start]]
            detail = f"{' → '.join([*labels, labels[0]])}: each waits for the next, so none can start"
            self._wrong(self.operations[first].pointer, Reason.DEPENDENCY_CYCLE, detail)
            for index in cycle:
                graph[index] = set()
        return graph

    def _check_depth(self, stages: list[int]) -> None:
        allowed = self.limits.dependency_depth
        for index, stage in enumerate(stages):
            if stage == allowed + 1:
                detail = f"{self.operations[index].label} is the end of a chain of {stage} operations, {allowed} are allowed"
                self._wrong(self.operations[index].pointer, Reason.INVALID_ENVELOPE, detail)


def _position(problem: Problem) -> tuple[str, ...]:
    """Where a problem is told among the others: `/requests/2` before `/requests/10`."""
    return tuple(part.zfill(9) if part.isdecimal() else part for part in problem.pointer.split("/"))


def _find_cycle(graph: dict[int, set[int]]) -> list[int] | None:
    """One cycle as indexes, each waiting for the next, or None."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[int] = error.args[1]
        return found[:0:-1]
    return None
