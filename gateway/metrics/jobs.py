"""Jobs: what was counted while they ran, and what waits for them. Only there where jobs are taken."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.batch.job import JobKind, State
from gateway.metrics.tally import Buckets, Tally, read_unlabelled

REFRESH = 5.0
"""Seconds for which a reading of what waits is good."""

FLUSH_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

LINE_OUTCOMES = ("succeeded", "failed", "unsent")
CALLBACK_OUTCOMES = ("delivered", "failed", "dead")


class Waiting(Protocol):
    """What waits: jobs by (kind, state), open chunks, callbacks pending and dead, the seconds the oldest open job is old."""

    @property
    def jobs(self) -> Mapping[tuple[str, str], int]: ...
    @property
    def chunks(self) -> int: ...
    @property
    def deliveries(self) -> int: ...
    @property
    def dead(self) -> int: ...
    @property
    def oldest(self) -> float: ...


class JobMetrics(Collector):
    """Counts what jobs do. What waits is asked of `read`, which says None if it cannot tell; `clock` is monotonic seconds."""

    def __init__(self, read: Callable[[], Awaitable[Waiting | None]], clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._good_until = clock()
        self._waiting: Waiting | None = None
        self._lines = Tally("gateway_job_lines", "Lines of jobs whose results are safe", ("kind", "outcome"))
        self._callbacks = Tally("gateway_callbacks", "Attempts to deliver a callback", ("outcome",))
        self._flush_seconds = Buckets(FLUSH_SECONDS)
        self._flushes = 0
        for kind in JobKind:
            for outcome in LINE_OUTCOMES:
                self._lines.add((kind.value, outcome), 0)
        for outcome in CALLBACK_OUTCOMES:
            self._callbacks.add((outcome,), 0)

    def lines(self, kind: JobKind, succeeded: int, failed: int, unsent: int = 0) -> None:
        """The results of so many lines are safe; `unsent` are those that were cancelled, expired, interrupted or given up."""
        for outcome, count in zip(LINE_OUTCOMES, (succeeded, failed, unsent), strict=True):
            self._lines.add((kind.value, outcome), count)

    def flush(self, seconds: float) -> None:
        """Results were made safe, which took so long."""
        self._flushes += 1
        self._flush_seconds.observe(seconds)

    def callback(self, state: str) -> None:
        """An attempt to deliver a callback has ended, and left the delivery in this state (gateway.batch.job.Delivery)."""
        self._callbacks.add((state if state in CALLBACK_OUTCOMES else "failed",))

    async def refresh(self) -> None:
        """Read what waits, unless that was done a moment ago. `collect` cannot wait, so whoever calls that does this first."""
        now = self._clock()
        if now >= self._good_until:
            self._good_until = now + REFRESH  # set first: of many who ask, one waits for a slow store
            self._waiting = await self._read() or self._waiting

    def collect(self) -> Iterator[Metric]:
        """As families of prometheus-client. What waits is left out until it has been read."""
        yield self._lines.read()
        yield CounterMetricFamily("gateway_job_flushes", "Times that results were made safe", self._flushes)
        yield read_unlabelled("gateway_job_flush_seconds", "Making results safe", self._flush_seconds)
        yield self._callbacks.read()
        yield from _read_waiting(self._waiting)


def _read_waiting(waiting: Waiting | None) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("gateway_jobs", "Jobs that are kept", labels=("kind", "state"))
    chunks = GaugeMetricFamily("gateway_job_chunks_open", "Chunks that are not done")
    pending = GaugeMetricFamily("gateway_callbacks_pending", "Callbacks still to be delivered")
    dead = GaugeMetricFamily("gateway_callbacks_dead", "Callbacks given up, until somebody has them delivered again")
    age = GaugeMetricFamily("gateway_job_backlog_age_seconds", "Age of the oldest job that has not ended")
    if waiting is not None:
        for kind in JobKind:
            for state in State:
                jobs.add_metric((kind.value, state.value), waiting.jobs.get((kind.value, state.value), 0))
        chunks.add_metric((), waiting.chunks)
        pending.add_metric((), waiting.deliveries)
        dead.add_metric((), waiting.dead)
        age.add_metric((), waiting.oldest)
    yield from (jobs, chunks, pending, dead, age)
