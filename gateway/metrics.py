"""Every metric, read off values. The home of prometheus-client; labels come from closed sets, so no client can add a series.

Names are Prometheus' own style: base units, `_total` for what only grows. Children are looked up once and kept: finding one
costs four times as much as counting with it.
"""

import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway import __version__
from gateway.batch.results import Finished, Result
from gateway.batch.routes import METHODS
from gateway.errors import status_of
from gateway.messages import Failure, Reason

# A second series for every counter and histogram, with the second it was made, that no dashboard here reads.
disable_created_metrics()  # type: ignore[no-untyped-call]

UNKNOWN = "_unknown"
OTHER = "_OTHER"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0)
CIRCUITS = {"closed": 0, "half-open": 1, "open": 2}
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)

_METHODS = frozenset(METHODS) | {"CONNECT", "TRACE"}
_CODES = {int(status): str(int(status)) for status in HTTPStatus} | {
    status_of(reason): str(status_of(reason)) for reason in Reason
}


class UpstreamState(NamedTuple):
    """One upstream at the moment of a scrape. `connections` by state, `retries` by reason; `circuit` one of CIRCUITS."""

    upstream: str
    in_flight: int = 0
    connections: Mapping[str, int] = {}
    retries: Mapping[str, int] = {}
    circuit: str = "closed"


@dataclass(frozen=True, slots=True)
class Readings:
    """What is asked at every scrape instead of being kept up to date: each a function that must not wait."""

    in_flight: Callable[[], int]
    buffered: Callable[[], int]
    loop_lag: Callable[[], float]
    log_lines_dropped: Callable[[], int]
    upstreams: Callable[[], Iterable[UpstreamState]]


class Metrics:
    """Counts what has ended. `routes` are the paths served, `upstreams` the configured names: nothing else becomes a label."""

    def __init__(self, routes: Iterable[str], upstreams: Iterable[str]) -> None:
        self.registry = registry = CollectorRegistry()
        requests = Counter(
            "gateway_http_requests", "Requests to the public port", ("route", "method", "code"), registry=registry
        )
        durations = Histogram(
            "gateway_http_request_duration_seconds",
            "From the request's head to the last byte of its answer",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        rejected = Counter("gateway_rejected", "Requests refused as a whole, nothing sent", ("reason",), registry=registry)
        self._sizes = Histogram(
            "gateway_batch_operations", "Operations of a batch, forEach children included", buckets=SIZES, registry=registry
        )
        self._requests = _keep(requests)
        self._durations = {route: durations.labels(route) for route in (*routes, UNKNOWN)}
        self._rejected = _keep(rejected)
        self._operations = _Operations(registry, upstreams)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)

    def request(self, route: str | None, method: str, status: int, duration: float, reason: Reason | None = None) -> None:
        """A request to the public port is over; `duration` in seconds, `reason` why it was refused as a whole."""
        known = route if route in self._durations else UNKNOWN
        self._requests((known, _method(method), _code(status))).inc()
        self._durations[known].observe(duration)
        if reason is not None:
            self._rejected((reason.value,)).inc()

    def batch(self, finished: Finished) -> None:
        """A batch has run."""
        self._sizes.observe(finished.operations)
        for result in finished.results:
            self._operations.count(result)

    def page(self) -> Callable[[Any], Awaitable[Any]]:
        """An aiohttp handler that shows everything, in OpenMetrics or Prometheus' text as asked."""
        return make_aiohttp_handler(self.registry)

    def read(self, readings: Readings) -> None:
        """Ask these functions at every scrape from now on."""
        self.registry.register(_Readers(readings))


class _Operations:
    """The metrics of single operations."""

    def __init__(self, registry: CollectorRegistry, upstreams: Iterable[str]) -> None:
        self._upstreams = frozenset(upstreams)
        names = (*self._upstreams, UNKNOWN)
        operations = Counter(
            "gateway_operations", "Entries of answers", ("upstream", "method", "code", "outcome"), registry=registry
        )
        responses = Counter(
            "gateway_upstream_requests", "Operations an upstream answered", ("upstream", "code"), registry=registry
        )
        failures = Counter(
            "gateway_upstream_failures", "Operations an upstream failed to answer", ("upstream", "reason"), registry=registry
        )
        durations = Histogram(
            "gateway_operation_duration_seconds", "From ready to last byte", ("upstream",), buckets=SECONDS, registry=registry
        )
        queues = Histogram(
            "gateway_operation_queue_seconds",
            "Waiting for a connection or a retry",
            ("upstream",),
            buckets=SECONDS,
            registry=registry,
        )
        self._operations = _keep(operations)
        self._responses = _keep(responses)
        self._failures = _keep(failures)
        self._durations = {name: durations.labels(name) for name in names}
        self._queues = {name: queues.labels(name) for name in names}

    def count(self, result: Result) -> None:
        upstream = result.upstream if result.upstream in self._upstreams else UNKNOWN
        code = _code(result.status)
        failure = result.outcome if isinstance(result.outcome, Failure) else None
        self._operations((upstream, _method(result.method), code, "failure" if failure else "response")).inc()
        if result.started is not None:
            self._durations[upstream].observe(result.duration)
            self._queues[upstream].observe(result.queued)
            if failure is None:
                self._responses((upstream, code)).inc()
        if failure is not None and (result.started is not None or failure.reason in _UPSTREAM_REASONS):
            self._failures((upstream, failure.reason.value)).inc()


_UPSTREAM_REASONS = frozenset({Reason.CIRCUIT_OPEN, Reason.UPSTREAM_OVERLOADED})
"""An upstream's failures although nothing was sent."""


class _Readers(Collector):
    """Metrics that are read when somebody looks."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings

    def describe(self) -> list[Metric]:
        """Nothing: keeps the registry from reading everything when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        readings = self._readings
        yield InfoMetricFamily(
            "gateway_build",
            "What is running",
            {"version": __version__, "python": sys.version.split()[0], "aiohttp": version("aiohttp")},
        )
        yield GaugeMetricFamily("gateway_http_requests_in_flight", "Requests being served", readings.in_flight())
        yield GaugeMetricFamily("gateway_buffered_bytes", "Bytes of bodies held in memory", readings.buffered())
        yield GaugeMetricFamily(
            "gateway_event_loop_lag_seconds", "Longest the event loop was late in the last 15 seconds", readings.loop_lag()
        )
        yield CounterMetricFamily(
            "gateway_log_lines_dropped", "Log lines lost because nobody read them", readings.log_lines_dropped()
        )
        yield from _collect_upstreams(tuple(readings.upstreams()))


def _collect_upstreams(states: tuple[UpstreamState, ...]) -> Iterator[Metric]:
    in_flight = GaugeMetricFamily("gateway_upstream_in_flight", "Requests sent and not answered", labels=("upstream",))
    connections = GaugeMetricFamily("gateway_upstream_connections", "Connections by state", labels=("upstream", "state"))
    retries = CounterMetricFamily("gateway_upstream_retries", "Requests sent again", labels=("upstream", "reason"))
    circuit = GaugeMetricFamily("gateway_circuit_state", "0 closed, 1 half open, 2 open", labels=("upstream",))
    for state in states:
        in_flight.add_metric((state.upstream,), state.in_flight)
        circuit.add_metric((state.upstream,), CIRCUITS[state.circuit])
        for name, count in state.connections.items():
            connections.add_metric((state.upstream, name), count)
        for reason, count in state.retries.items():
            retries.add_metric((state.upstream, reason), count)
    yield from (in_flight, connections, retries, circuit)


def _keep(counter: Counter) -> Callable[[tuple[str, ...]], Counter]:
    """A function from label values to the counter's child, which remembers."""
    children: dict[tuple[str, ...], Counter] = {}

    def child(labels: tuple[str, ...]) -> Counter:
        found = children.get(labels)
        if found is None:
            found = children[labels] = counter.labels(*labels)
        return found

    return child


def _method(method: str) -> str:
    return method if method in _METHODS else OTHER


def _code(status: int) -> str:
    return _CODES.get(status, OTHER)
