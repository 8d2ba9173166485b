"""What is not counted but asked when somebody looks."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import NamedTuple

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from gateway import __version__

CIRCUITS = {"closed": 0, "half-open": 1, "open": 2}


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


NOTHING = Readings(lambda: 0, lambda: 0, lambda: 0.0, lambda: 0, lambda: ())
"""A process in which nothing happens."""


def read_all(readings: Readings) -> Iterator[Metric]:
    """Ask everything."""
    yield name_build()
    yield GaugeMetricFamily("gateway_http_requests_in_flight", "Requests being served", readings.in_flight())
    yield GaugeMetricFamily("gateway_buffered_bytes", "Bytes of bodies held in memory", readings.buffered())
    yield GaugeMetricFamily(
        "gateway_event_loop_lag_seconds", "Longest the event loop was late in the last 15 seconds", readings.loop_lag()
    )
    yield count_dropped_lines(readings.log_lines_dropped())
    yield from _read_upstreams(tuple(readings.upstreams()))


def name_build() -> Metric:
    """What is running."""
    build = {"version": __version__, "python": sys.version.split()[0], "aiohttp": version("aiohttp")}
    return InfoMetricFamily("gateway_build", "What is running", build)


def count_dropped_lines(count: int) -> Metric:
    """The counter of log lines that were lost."""
    return CounterMetricFamily("gateway_log_lines_dropped", "Log lines lost because nobody read them", count)


def _read_upstreams(states: tuple[UpstreamState, ...]) -> Iterator[Metric]:
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
