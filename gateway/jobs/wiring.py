"""What running jobs takes, gathered once by whoever builds the process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.batch.job import JobKind
from gateway.config.jobs import JobSettings
from gateway.execution.engine import Engine
from gateway.jobs.drain import Drain
from gateway.jobs.kind import LineFormat
from gateway.jobs.ports import Files, Queue, Records


class Flushed(NamedTuple):
    """What one flush made safe, in so many seconds: lines that count as successes, as failures, or not at all."""

    kind: JobKind
    succeeded: int
    failed: int
    unsent: int
    seconds: float


def _never(upstream: str) -> bool:  # noqa: ARG001  # it is asked like one that knows
    """For who has no breaker."""
    return False


def _tell_nobody(flushed: Flushed) -> None:
    """For who wants no metrics."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """`formats` has the kinds of job whose lines stand alone. `now` is seconds since 1970; `entropy` gives random bytes.

    `upstream_shares` is the most requests of jobs in flight, by upstream; `keyed_upstreams` are sent an Idempotency-Key.
    `is_left_alone` says whether an upstream would not be asked now, as it is failing. `drain` is the orderly stop; `report`
    hears of each flush.
    """

    records: Records
    files: Files
    queue: Queue
    engine: Engine
    settings: JobSettings
    formats: Mapping[JobKind, LineFormat]
    upstream_shares: Mapping[str, int]
    keyed_upstreams: frozenset[str]
    now: Callable[[], float]
    entropy: Callable[[int], bytes]
    is_left_alone: Callable[[str], bool] = _never
    drain: Drain = field(default_factory=Drain)
    report: Callable[[Flushed], None] = _tell_nobody
