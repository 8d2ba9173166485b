import json

from gateway.metrics import Metrics, Readings, UpstreamState
from gateway.metrics.labels import SECONDS
from gateway.metrics.merging import Families, dump, keep_counts, load, merge, spell, take


def process(requests: int, lag: float = 0.0, circuit: str = "closed", in_flight: int = 0) -> Families:
    metrics = Metrics(["/batch"], ["users"])
    for _ in range(requests):
        metrics.request("/batch", "POST", 200, 0.02)
    state = UpstreamState("users", in_flight, {"open": in_flight}, {}, circuit)
    metrics.read(Readings(lambda: in_flight, lambda: 0, lambda: lag, lambda: 0, lambda: [state]))
    return take(metrics.collect())


def values(families: Families, name: str) -> list[float]:
    return [sample.value for family in spell(families) for sample in family.samples if sample.name == name]


def test_counters_and_histograms_are_summed() -> None:
    merged = merge([process(2), process(3)])
    assert values(merged, "gateway_http_requests_total") == [5]
    buckets = values(merged, "gateway_http_request_duration_seconds_bucket")[: len(SECONDS) + 1]
    assert buckets == [0, 0, *[5] * (len(SECONDS) - 1)]
    assert values(merged, "gateway_http_request_duration_seconds_count") == [5, 0]


def test_gauges_are_summed_or_the_highest_as_each_means() -> None:
    merged = merge([process(0, 0.1, "open", 2), process(0, 0.3, "half-open", 5)])
    assert values(merged, "gateway_http_requests_in_flight") == [7]
    assert values(merged, "gateway_upstream_connections") == [7]
    assert values(merged, "gateway_event_loop_lag_seconds") == [0.3]
    assert values(merged, "gateway_circuit_state") == [2]


def test_what_runs_is_told_once() -> None:
    assert values(merge([process(0), process(0), process(0)]), "gateway_build_info") == [1]


def test_a_series_that_only_one_process_has_is_kept() -> None:
    one, other = process(1), process(0)
    assert values(merge([other, one]), "gateway_http_requests_total") == [1]


def test_of_a_process_that_is_gone_its_counts_remain() -> None:
    kept = keep_counts(process(4, lag=9, in_flight=3))
    assert values(kept, "gateway_http_requests_total") == [4]
    assert values(kept, "gateway_http_request_duration_seconds_count") == [4, 0]
    assert "gateway_http_requests_in_flight" not in kept
    assert values(merge([kept, process(1)]), "gateway_http_requests_total") == [5]


def test_merging_changes_nothing_that_was_merged() -> None:
    one = process(1)
    merge([one, process(2)])
    assert values(one, "gateway_http_requests_total") == [1]


def test_families_survive_the_way_through_json() -> None:
    families = process(2, 0.5, "open", 1)
    assert load(json.loads(json.dumps(dump(families)))) == families
