"""Counts what has ended, and shows it."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from gateway.batch.results import Finished
from gateway.messages import Reason
from gateway.metrics.jobs import JobMetrics
from gateway.metrics.labels import DEPTHS, METHOD_LABELS, OTHER, SECONDS, SIZES, UNKNOWN, label_code
from gateway.metrics.operations import Operations
from gateway.metrics.readings import NOTHING, Readings, read_all
from gateway.metrics.tally import Buckets, Tally, read_buckets, read_unlabelled


class Metrics(Collector):
    """The metrics of one process. `routes` are the paths served, `upstreams` the configured names: all that becomes a label."""

    def __init__(self, routes: Iterable[str], upstreams: Iterable[str]) -> None:
        self._requests = Tally("gateway_http_requests", "Requests to the public port", ("route", "method", "code"))
        self._rejected = Tally("gateway_rejected", "Requests refused as a whole, nothing sent", ("reason",))
        self._durations = {route: Buckets(SECONDS) for route in (*routes, UNKNOWN)}
        self._sizes = Buckets(SIZES)
        self._depths = Buckets(DEPTHS)
        self._operations = Operations(upstreams)
        self._readings: Readings | None = None
        self._jobs: JobMetrics | None = None
        self.registry = make_registry(self)

    def request(self, route: str | None, method: str, status: int, duration: float, reason: Reason | None = None) -> None:
        """A request to the public port is over; `duration` in seconds, `reason` why it was refused as a whole."""
        known = route if route in self._durations else UNKNOWN
        self._requests.add((known, method if method in METHOD_LABELS else OTHER, label_code(status)))
        self._durations[known].observe(duration)
        if reason is not None:
            self._rejected.add((reason.value,))

    def batch(self, finished: Finished) -> None:
        """A batch has run."""
        self._sizes.observe(finished.operations)
        self._depths.observe(finished.depth)
        self._operations.count(finished.results)

    def read(self, readings: Readings) -> None:
        """Ask these functions at every scrape from now on."""
        self._readings = readings

    def show_jobs(self, jobs: JobMetrics) -> None:
        """Show these too from now on."""
        self._jobs = jobs
        self.registry.register(jobs)

    async def refresh(self) -> None:
        """Read what cannot be read at the moment of a scrape. Before each one."""
        if self._jobs is not None:
            await self._jobs.refresh()

    def page(self) -> Callable[[Any], Awaitable[Any]]:
        """An aiohttp handler that shows everything, in OpenMetrics or Prometheus' text as asked."""
        show = make_aiohttp_handler(self.registry)

        async def page(request: Any) -> Any:
            await self.refresh()
            return await show(request)

        return page

    def collect(self) -> Iterator[Metric]:
        """Everything, as families of prometheus-client."""
        yield from self._counted()
        if self._readings is not None:
            yield from read_all(self._readings)

    def describe(self) -> Iterator[Metric]:
        """The names of everything, for scrapes that ask for some by `?name[]=`, before anything can be read."""
        yield from self._counted()
        yield from read_all(NOTHING)

    def _counted(self) -> Iterator[Metric]:
        yield self._requests.read()
        yield read_buckets(
            "gateway_http_request_duration_seconds",
            "From the request's head to the last byte of its answer",
            "route",
            self._durations,
        )
        yield self._rejected.read()
        yield read_unlabelled("gateway_batch_operations", "Operations of a batch, forEach children included", self._sizes)
        yield read_unlabelled("gateway_batch_depth", "Operations in the longest chain of a batch", self._depths)
        yield from self._operations.read()


def make_registry(*collectors: Collector) -> CollectorRegistry:
    """What these collectors say, and what Python and the system know of this process."""
    registry = CollectorRegistry(auto_describe=True)
    for own in (ProcessCollector, PlatformCollector, GCCollector):
        own(registry=registry)
    for collector in collectors:
        registry.register(collector)
    return registry
