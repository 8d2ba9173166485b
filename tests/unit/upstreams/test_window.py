"""Counts over the recent past."""

from gateway.upstreams.window import RollingCounts


def test_counts_what_happened_within_the_window() -> None:
    counts = RollingCounts(10.0)
    counts.add(1000.0, 2, marked=1)
    counts.add(1005.0, 3)
    assert counts.totals(1005.0) == (5, 1)


def test_forgets_what_is_older_than_the_window() -> None:
    counts = RollingCounts(10.0)
    counts.add(1000.0, 2, marked=1)
    counts.add(1009.0, 1)
    assert counts.totals(1009.9) == (3, 1)
    assert counts.totals(1010.0) == (1, 0)
    assert counts.totals(1110.0) == (0, 0)


def test_starts_again_from_nothing() -> None:
    counts = RollingCounts(10.0)
    counts.add(1000.0, 2, marked=1)
    counts.add(1005.0, 2)
    counts.clear()
    assert counts.totals(1005.0) == (0, 0)
    counts.add(1005.0, 1)
    assert counts.totals(1014.0) == (1, 0)


def test_holds_no_more_than_its_slices_however_much_is_counted() -> None:
    counts = RollingCounts(1.0)
    for step in range(10_000):
        counts.add(step / 100, 1)
    assert len(counts._older) <= 10
    assert counts.totals(99.99) == (100, 0)
