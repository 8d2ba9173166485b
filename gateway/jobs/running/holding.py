"""Results that are not safe yet, held until the next flush."""

from typing import NamedTuple

from gateway.batch.job import Series
from gateway.execution.budget import Budget


class Record(NamedTuple):
    """What is kept of a line. `counted`: as a success, a failure, or not at all; `taken` bytes of the budget are its."""

    line: int
    content: bytes
    counted: bool | None
    taken: int


Held = dict[Series, list[Record]]


class Holding:
    """The records of one chunk. Of what the next flush takes there are `count` and `size` bytes.

    `unflushed` counts the bytes that are not safe yet, those being flushed included. All of them count against `budget` as far
    as it goes: they are here already, and too dear to be dropped.
    """

    def __init__(self, budget: Budget) -> None:
        self.count = 0
        self.size = 0
        self.unflushed = 0
        self._budget = budget
        self._held: Held = {}

    def add(self, series: Series, line: int, content: bytes, counted: bool | None) -> None:
        """Hold one more."""
        size = len(content)
        taken = size if self._budget.take(size) else 0
        self._held.setdefault(series, []).append(Record(line, content, counted, taken))
        self.count += 1
        self.size += size
        self.unflushed += size

    def holds(self, series: Series) -> bool:
        """Whether the next flush takes any of these."""
        return series in self._held

    def take(self) -> Held:
        """All there are; `release` them when they are safe, or `hold_again`."""
        held, self._held = self._held, {}
        self.count = self.size = 0
        return held

    def hold_again(self, held: Held) -> None:
        """These are not safe after all, and older than what was added since."""
        for series, records in held.items():
            self._held[series] = records + self._held.get(series, [])
            self.count += len(records)
            self.size += sum([len(one.content) for one in records])

    def release(self, held: Held) -> None:
        """Nobody holds these any more."""
        for records in held.values():
            self.unflushed -= sum([len(one.content) for one in records])
            self._budget.release(sum([one.taken for one in records]))
