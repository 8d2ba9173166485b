"""Counts over the recent past."""

from gateway.upstreams.window import RollingCounts
from tests.support.clock import Clock


def test_counts_what_happened_within_the_window() -> None:
    clock = Clock()
    counts = RollingCounts(10.0, clock)
    counts.add(2, marked=1)
    clock.now += 5
    counts.add(3)
    assert counts.totals() == (5, 1)


def test_forgets_what_is_older_than_the_window() -> None:
    clock = Clock()
    counts = RollingCounts(10.0, clock)
    counts.add(2, marked=1)
    clock.now += 9
    counts.add(1)
    clock.now += 1
    assert counts.totals() == (1, 0)
    clock.now += 100
    assert counts.totals() == (0, 0)


def test_holds_no_more_than_its_slices_however_much_is_counted() -> None:
    clock = Clock()
    counts = RollingCounts(1.0, clock)
    for _ in range(10_000):
        counts.add(1)
        clock.now += 0.01
    assert len(counts._counts) <= 10
