"""Counters and histograms for the hot path: a dict and a list, read into families of prometheus-client when somebody looks.

Everything is counted and read on the one thread of the event loop, so nothing here takes a lock: prometheus-client's own
take one for each value that an observation changes. Counting one operation costs 1 µs so, and 10 µs with its children.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString


class Tally:
    """A counter for each combination of labels that has come up."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        self._family = (name, documentation)
        self._labels = labels
        self.counts: dict[tuple[str, ...], int] = {}

    def add(self, labels: tuple[str, ...], amount: int = 1) -> None:
        """Count `amount` more."""
        self.counts[labels] = self.counts.get(labels, 0) + amount

    def read(self) -> CounterMetricFamily:
        """The counts now."""
        name, documentation = self._family
        family = CounterMetricFamily(name, documentation, labels=self._labels)
        for labels, count in self.counts.items():
            family.add_metric(labels, count)
        return family


class Buckets:
    """How values are spread. `bounds` are the upper ones, included (Prometheus' `le`), the last bucket takes the rest."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Show what was counted, with these labels, as part of `family`."""
        running = 0
        rows: list[tuple[str, float]] = []
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            running += count
            rows.append((floatToGoString(bound), running))  # type: ignore[no-untyped-call]
        family.add_metric(labels, rows, self._sum)


def read_buckets(name: str, documentation: str, label: str, buckets: Mapping[str, Buckets]) -> HistogramMetricFamily:
    """One histogram of several Buckets, by the value of `label`."""
    family = HistogramMetricFamily(name, documentation, labels=(label,))
    for value, one in buckets.items():
        one.add_to(family, (value,))
    return family


def read_unlabelled(name: str, documentation: str, buckets: Buckets) -> HistogramMetricFamily:
    """One histogram without labels."""
    family = HistogramMetricFamily(name, documentation, labels=())
    buckets.add_to(family, ())
    return family
