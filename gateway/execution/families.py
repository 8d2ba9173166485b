"""Which steps belong together in an answer."""

from gateway.batch.step import Plan


class Families:
    """Which steps make one line: a top-level operation and all that is nested in it, at any depth."""

    def __init__(self, plan: Plan) -> None:
        self._position = [0] * len(plan.steps)
        self._unended = [0] * len(plan.top)
        for position, index in enumerate(plan.top):
            self._add(plan, index, position)

    def _add(self, plan: Plan, index: int, position: int) -> None:
        self._position[index] = position
        self._unended[position] += 1
        for child in plan.steps[index].nested:
            self._add(plan, child, position)

    def end(self, index: int) -> int | None:
        """A step has ended. Where its top-level operation stands, if that was the last of it."""
        position = self._position[index]
        self._unended[position] -= 1
        return None if self._unended[position] else position
