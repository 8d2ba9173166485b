"""What running jobs takes, gathered once by whoever builds the process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gateway.batch.job import JobKind
from gateway.config.jobs import JobSettings
from gateway.execution.engine import Engine
from gateway.jobs.kind import LineFormat
from gateway.jobs.ports import Files, Queue, Records


@dataclass(frozen=True, slots=True)
class Wiring:
    """`formats` has the kinds of job whose lines stand alone. `now` is seconds since 1970; `entropy` gives random bytes.

    `upstream_shares` is the most requests of jobs in flight, by upstream; `keyed_upstreams` are sent an Idempotency-Key.
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
