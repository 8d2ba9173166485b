from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import Metric

from gateway.metrics.labels import SECONDS
from gateway.metrics.tally import Buckets, Tally, read_buckets, read_unlabelled


def samples(family: Metric) -> list[Any]:
    return [(sample.name, sample.labels, sample.value) for sample in family.samples if not sample.name.endswith("_created")]


@given(st.lists(st.sampled_from(SECONDS) | st.floats(min_value=0, max_value=100)))
def test_buckets_show_what_a_histogram_of_prometheus_client_shows(values: list[float]) -> None:
    theirs = Histogram("x", "An x", ("upstream",), buckets=SECONDS, registry=CollectorRegistry())
    ours = Buckets(SECONDS)
    child = theirs.labels("users")
    for value in values:
        child.observe(value)
        ours.observe(value)
    (family,) = theirs.collect()
    assert samples(read_buckets("x", "An x", "upstream", {"users": ours})) == samples(family)


def test_without_a_label_there_is_one_histogram() -> None:
    theirs = Histogram("x", "An x", buckets=(1, 2), registry=CollectorRegistry())
    ours = Buckets((1, 2))
    for value in (1, 2, 3):
        theirs.observe(value)
        ours.observe(value)
    assert samples(read_unlabelled("x", "An x", ours)) == samples(next(iter(theirs.collect())))


def test_a_tally_shows_what_a_counter_of_prometheus_client_shows() -> None:
    theirs = Counter("x", "An x", ("a", "b"), registry=CollectorRegistry())
    ours = Tally("x", "An x", ("a", "b"))
    for labels, amount in [(("1", "2"), 1), (("2", "1"), 3), (("1", "2"), 4)]:
        theirs.labels(*labels).inc(amount)
        ours.add(labels, amount)
    assert samples(ours.read()) == samples(next(iter(theirs.collect())))
