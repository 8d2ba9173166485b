from collections.abc import Mapping
from typing import NamedTuple

import pytest

from gateway.batch.job import JobKind
from gateway.metrics import JobMetrics, Metrics
from gateway.metrics.jobs import REFRESH, Waiting
from tests.support.clock import Clock


class Seen(NamedTuple):
    jobs: Mapping[tuple[str, str], int] = {}
    chunks: int = 0
    deliveries: int = 0
    dead: int = 0
    oldest: float = 0.0


class Store:
    """Says what waits, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.waiting: Waiting | None = Seen()

    async def read(self) -> Waiting | None:
        self.asked += 1
        return self.waiting


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jobs(store: Store, clock: Clock) -> JobMetrics:
    return JobMetrics(store.read, clock)


@pytest.fixture
def metrics(jobs: JobMetrics) -> Metrics:
    metrics = Metrics([], [])
    metrics.show_jobs(jobs)
    return metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_without_jobs_there_are_no_metrics_of_them() -> None:
    names = {metric.name for metric in Metrics([], []).registry.collect()}
    assert [name for name in names if "job" in name or "callback" in name] == []


def test_every_series_is_there_before_anything_has_happened(metrics: Metrics) -> None:
    assert value(metrics, "gateway_job_lines_total", kind="ivvy", outcome="failed") == 0
    assert value(metrics, "gateway_callbacks_total", outcome="dead") == 0
    assert value(metrics, "gateway_job_flushes_total") == 0


def test_lines_are_counted_by_kind_and_outcome(metrics: Metrics, jobs: JobMetrics) -> None:
    jobs.lines(JobKind.OPENAI, succeeded=3, failed=1, unsent=2)
    jobs.lines(JobKind.OPENAI, succeeded=1, failed=0)
    counts = [value(metrics, "gateway_job_lines_total", kind="openai", outcome=o) for o in ("succeeded", "failed", "unsent")]
    assert counts == [4, 1, 2]


def test_flushes_are_counted_with_their_time(metrics: Metrics, jobs: JobMetrics) -> None:
    jobs.flush(0.004)
    jobs.flush(0.2)
    assert value(metrics, "gateway_job_flushes_total") == 2
    assert value(metrics, "gateway_job_flush_seconds_count") == 2
    assert value(metrics, "gateway_job_flush_seconds_bucket", le="0.005") == 1


def test_callbacks_are_counted_by_what_became_of_the_attempt(metrics: Metrics, jobs: JobMetrics) -> None:
    for state in ("pending", "pending", "delivered", "dead", "somebody's own word"):
        jobs.callback(state)
    counts = [value(metrics, "gateway_callbacks_total", outcome=o) for o in ("failed", "delivered", "dead")]
    assert counts == [3, 1, 1]


async def test_what_waits_is_shown_once_it_was_read(metrics: Metrics, store: Store) -> None:
    store.waiting = Seen({("ivvy", "in_progress"): 2}, chunks=5, deliveries=3, dead=1, oldest=60.5)
    assert value(metrics, "gateway_job_chunks_open") is None
    await metrics.refresh()
    assert value(metrics, "gateway_jobs", kind="ivvy", state="in_progress") == 2
    assert value(metrics, "gateway_jobs", kind="openai", state="completed") == 0
    assert value(metrics, "gateway_job_chunks_open") == 5
    assert value(metrics, "gateway_callbacks_pending") == 3
    assert value(metrics, "gateway_callbacks_dead") == 1
    assert value(metrics, "gateway_job_backlog_age_seconds") == 60.5


async def test_a_store_says_nothing_that_becomes_a_label(metrics: Metrics, store: Store, clock: Clock) -> None:
    await metrics.refresh()
    before = sum(len(metric.samples) for metric in metrics.registry.collect())
    store.waiting = Seen({("unheard", "of"): 7})
    clock.now += REFRESH
    await metrics.refresh()
    assert sum(len(metric.samples) for metric in metrics.registry.collect()) == before


async def test_the_store_is_asked_every_few_seconds_at_most(jobs: JobMetrics, store: Store, clock: Clock) -> None:
    await jobs.refresh()
    clock.now += REFRESH - 0.1
    await jobs.refresh()
    assert store.asked == 1
    clock.now += 0.1
    await jobs.refresh()
    assert store.asked == 2


async def test_a_store_that_does_not_answer_leaves_the_last_reading(metrics: Metrics, store: Store, clock: Clock) -> None:
    store.waiting = Seen(chunks=5)
    await metrics.refresh()
    clock.now += REFRESH
    store.waiting = None
    await metrics.refresh()
    assert value(metrics, "gateway_job_chunks_open") == 5
