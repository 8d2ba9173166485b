"""What a supervisor knows beside what its workers say, and the page of them all."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.metrics.counting import make_registry
from gateway.metrics.merging import Families, spell, take
from gateway.metrics.readings import count_dropped_lines, name_build


@dataclass(frozen=True, slots=True, eq=False)  # registries tell collectors apart by identity
class Supervision(Collector):
    """`answers`: whether each worker, by its name, said something just now; `restarts`: how often each was replaced."""

    answers: Mapping[str, bool]
    restarts: Mapping[str, int]
    log_lines_dropped: int

    def collect(self) -> Iterator[Metric]:
        """As families of prometheus-client."""
        yield name_build()
        yield count_dropped_lines(self.log_lines_dropped)
        up = GaugeMetricFamily("gateway_worker_up", "Whether the worker answers its supervisor", labels=("worker",))
        restarts = CounterMetricFamily("gateway_worker_restarts", "Workers replaced", labels=("worker",))
        for worker, answers in self.answers.items():
            up.add_metric((worker,), int(answers))
        for worker, count in self.restarts.items():
            restarts.add_metric((worker,), count)
        yield from (up, restarts)

    def read(self) -> Families:
        """With what Python and the system know of the supervisor's process."""
        return take(make_registry(self).collect())


def make_page(gather: Callable[[], Awaitable[Families]]) -> Callable[[Any], Awaitable[Any]]:
    """An aiohttp handler that shows what `gather` finds, in OpenMetrics or Prometheus' text as asked."""

    async def page(request: Any) -> Any:
        registry = CollectorRegistry(auto_describe=True)
        registry.register(_Gathered(await gather()))
        return await make_aiohttp_handler(registry)(request)

    return page


class _Gathered(Collector):
    def __init__(self, families: Families) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return spell(self._families)
