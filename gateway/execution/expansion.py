"""forEach: how far a batch may grow, and which items of an operation are still to come."""

from collections import Counter

from gateway.batch.limits import Limits
from gateway.batch.results import Result
from gateway.batch.routes import Route
from gateway.batch.step import Plan, Step
from gateway.messages import Failure, Reason


class Expansion:
    """The forEach operations of one running batch. An envelope costs what it expands to, not what it says."""

    def __init__(self, plan: Plan, limits: Limits) -> None:
        self._plan = plan
        self._limits = limits
        self._operations = len(plan.steps)
        self._items: dict[int, list[Result | None]] = {}
        self._unsettled: dict[int, int] = {}
        self._shares: Counter[Route] | None = None

    def grow(self, step: Step, count: int) -> Failure | None:
        """Make room for `count` items of a step, or say why there is none; then none of them is sent."""
        refused = self._too_many(step, count)
        if refused is None:
            self._operations += count
            if step.route.max_per_batch:
                self._sent_so_far()[step.route] += count
            self._items[step.index] = [None] * count
            self._unsettled[step.index] = count
        return refused

    def settle(self, step: Step, item: int, result: Result) -> tuple[Result, ...] | None:
        """An item has its result. All of the step's results once there are no more to come, else None."""
        self._items[step.index][item] = result
        self._unsettled[step.index] -= 1
        if self._unsettled[step.index]:
            return None
        return tuple([one for one in self._items.pop(step.index) if one is not None])

    def _too_many(self, step: Step, count: int) -> Failure | None:
        limits = self._limits
        if count > limits.items:
            return Failure(Reason.TOO_MANY_OPERATIONS, f"forEach over {count} items, {limits.items} are allowed")
        if self._operations + count > limits.expanded_operations:
            detail = f"the batch would grow to {self._operations + count} operations, {limits.expanded_operations} are allowed"
            return Failure(Reason.TOO_MANY_OPERATIONS, detail)
        share = step.route.max_per_batch
        total = self._sent_so_far()[step.route] + count if share else 0
        if total > share:
            detail = f"the batch would send {total} operations to {step.route.prefix}, {share} are allowed in one batch"
            return Failure(Reason.TOO_MANY_OPERATIONS, detail)
        return None

    def _sent_so_far(self) -> Counter[Route]:
        """How many operations go to each route that has a share, forEach counted as far as it has been expanded."""
        if self._shares is None:
            steps = self._plan.steps
            self._shares = Counter(step.route for step in steps if step.route.max_per_batch and step.operation.for_each is None)
        return self._shares
