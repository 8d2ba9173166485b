"""Several processes' metrics as one page: each process's families as plain values, and how they become one.

Rules, by family:
  counters and histograms   summed. What a process counted stays in the sum when it has ended, so that no counter ever falls.
  gauges                    summed over the processes that answer: requests in flight, bytes held, connections, memory
  HIGHEST                   the highest of them: the worst is what matters
  ONCE                      the first process's that has it: the same everywhere, or meaningless as a sum
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import Metric

HIGHEST = frozenset({"gateway_circuit_state", "gateway_event_loop_lag_seconds"})
ONCE = frozenset({"gateway_build", "process_max_fds", "process_start_time_seconds", "python_info"})

_GROWING = frozenset({"counter", "histogram"})

_Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its kind, and the values of its samples by their name and labels."""

    kind: str
    documentation: str
    samples: dict[tuple[str, _Labels], float]


Families = dict[str, Family]
"""By name."""


def take(metrics: Iterable[Metric]) -> Families:
    """What a process says of itself, as values."""
    return {
        metric.name: Family(
            metric.type,
            metric.documentation,
            {(sample.name, tuple(sample.labels.items())): sample.value for sample in metric.samples},
        )
        for metric in metrics
    }


def merge(processes: Iterable[Families]) -> Families:
    """One page of several, by the rules above."""
    merged: Families = {}
    for families in processes:
        for name, family in families.items():
            if name not in merged:
                merged[name] = Family(family.kind, family.documentation, dict(family.samples))
            elif name not in ONCE:
                _add(name, merged[name].samples, family)
    return merged


def _add(name: str, total: dict[tuple[str, _Labels], float], family: Family) -> None:
    for key, value in family.samples.items():
        found = total.get(key)
        if found is None:
            total[key] = value
        else:
            total[key] = max(found, value) if name in HIGHEST else found + value


def keep_counts(families: Families) -> Families:
    """What remains true of a process that has ended or says nothing: what it has counted."""
    return {name: family for name, family in families.items() if family.kind in _GROWING}


def spell(families: Families) -> Iterator[Metric]:
    """As families of prometheus-client."""
    for name, family in families.items():
        metric = Metric(name, family.documentation, family.kind)
        for (sample, labels), value in family.samples.items():
            metric.add_sample(sample, dict(labels), value)
        yield metric


def dump(families: Families) -> list[Any]:
    """As lists, for JSON."""
    return [
        [
            name,
            family.kind,
            family.documentation,
            [[sample, labels, value] for (sample, labels), value in family.samples.items()],
        ]
        for name, family in families.items()
    ]


def load(rows: list[Any]) -> Families:
    """The opposite of `dump`."""
    return {
        name: Family(
            kind,
            documentation,
            {(sample, tuple((label, text) for label, text in labels)): value for sample, labels, value in samples},
        )
        for name, kind, documentation, samples in rows
    }
