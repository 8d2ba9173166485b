"""The gateway beside its peers: each round measures every server at every point in turn.

A machine whose speed drifts so hurts all alike, and the figure to trust is the ratio of two servers within one round.
"""

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from tests.bench.load import Generator, Incomplete, check
from tests.bench.peers import Server
from tests.bench.points import Point
from tests.bench.processes import cpu_seconds

WARM_UP = 0.3
"""Seconds per server and point before the first round, at most: connections opened, caches filled, code run once."""


class Run(NamedTuple):
    """How a server did at a point: `cpu` microseconds per sub-request, `busy` share of one CPU, `p50` in milliseconds."""

    cpu: float
    busy: float
    p50: float


class Ratio(NamedTuple):
    """One server's figures by another's, round by round: the median, the lowest and the highest."""

    median: float
    lowest: float
    highest: float


Runs = dict[tuple[str, str], list[Run]]
"""The runs of all rounds by point label and server name."""


def compare(servers: Sequence[Server], points: Sequence[Point], rounds: int, generator: Generator) -> Runs:
    """Measure. Raises Incomplete if a server does not do the whole work."""
    least = {(point.label, server.name): check(server.port, point) for point in points for server in servers}
    warm_up = Generator(min(WARM_UP, generator.seconds), None)
    for point in points:
        for server in servers:
            warm_up.drive(server.port, point, least[point.label, server.name])
    runs: Runs = {key: [] for key in least}
    for _ in range(rounds):
        for point in points:
            for server in servers:
                key = point.label, server.name
                runs[key].append(measure(server, point, generator, least[key]))
    return runs


def measure(server: Server, point: Point, generator: Generator, least: int) -> Run:
    """One run."""
    before = cpu_seconds(server.pid)
    try:
        load = generator.drive(server.port, point, least)
    except Incomplete as error:
        raise Incomplete(f"{server.name}: {error}") from None
    spent = cpu_seconds(server.pid) - before
    return Run(spent * 1e6 / (load.batches * point.sub_requests), spent / load.seconds, load.p50 * 1e3)


def take_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """By round; nan where a run was too short for the system's clock to see."""
    ratios = [one / other if other else math.nan for one, other in zip(ours, theirs, strict=True)]
    return Ratio(median(ratios), min(ratios), max(ratios))
