import itertools

import pytest

from gateway.batch.content import Content, Kind
from gateway.batch.operation import Operation
from gateway.batch.results import Finished, Result, as_coalesced, summarise
from gateway.messages import Failure, Outcome, Reason, Response
from gateway.metrics import Metrics, Readings, UpstreamState

NOTHING = Content(Kind.EMPTY, b"")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(["/batch"], ["users"])


def result(outcome: Outcome, upstream: str = "users", method: str = "GET", started: float | None = 1.0) -> Result:
    operation = Operation(pointer="/requests/0", path="/users", target=("/users",), method=method)
    return Result(operation, upstream, outcome, NOTHING, started=started, duration=0.02)


def finished(*results: Result) -> Finished:
    return summarise(results, 0.1)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def count_series(metrics: Metrics) -> int:
    return sum(len(metric.samples) for metric in metrics.registry.collect())


def test_request_is_counted_by_route_method_and_code(metrics: Metrics) -> None:
    metrics.request("/batch", "POST", 207, 0.02)
    metrics.request("/batch", "POST", 422, 0.02, Reason.INVALID_ENVELOPE)
    assert value(metrics, "gateway_http_requests_total", route="/batch", method="POST", code="207") == 1
    assert value(metrics, "gateway_http_requests_total", route="/batch", method="POST", code="422") == 1
    assert value(metrics, "gateway_http_request_duration_seconds_count", route="/batch") == 2
    assert value(metrics, "gateway_http_request_duration_seconds_bucket", route="/batch", le="0.025") == 2
    assert value(metrics, "gateway_rejected_total", reason="invalid-envelope") == 1


def test_what_is_not_in_the_closed_sets_gets_the_label_for_the_rest(metrics: Metrics) -> None:
    metrics.request("/secret/42", "PROPFIND", 999, 0.0)
    assert value(metrics, "gateway_http_requests_total", route="_unknown", method="_OTHER", code="_OTHER") == 1
    metrics.batch(finished(result(Response(299, (), b""), "ghost", "BREW")))
    labels = {"upstream": "_unknown", "method": "_OTHER", "code": "_OTHER", "outcome": "response"}
    assert value(metrics, "gateway_operations_total", **labels) == 1


def test_operations_are_counted_as_the_answer_counts_them(metrics: Metrics) -> None:
    failure = Failure(Reason.UPSTREAM_TIMEOUT, "late", queued=0.3)
    unsent = Failure(Reason.DEPENDENCY_FAILED, "no")
    batch = finished(result(Response(200, (), b"")), result(failure, method="POST"), result(unsent, started=None))
    metrics.batch(batch)
    operations = {
        (sample.labels["method"], sample.labels["code"], sample.labels["outcome"]): sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "gateway_operations_total"
    }
    assert operations == {("GET", "200", "response"): 1, ("POST", "504", "failure"): 1, ("GET", "424", "failure"): 1}
    assert sum(operations.values()) == batch.operations == value(metrics, "gateway_batch_operations_sum")


def test_only_what_was_sent_counts_for_the_upstream(metrics: Metrics) -> None:
    metrics.batch(
        finished(
            result(Response(404, (), b"")),
            result(Failure(Reason.UPSTREAM_TIMEOUT, "", queued=0.3)),
            result(Failure(Reason.CIRCUIT_OPEN, ""), started=None),
            result(Failure(Reason.DEPENDENCY_FAILED, ""), started=None),
        )
    )
    assert value(metrics, "gateway_upstream_requests_total", upstream="users", code="404") == 1
    assert value(metrics, "gateway_upstream_failures_total", upstream="users", reason="upstream-timeout") == 1
    assert value(metrics, "gateway_upstream_failures_total", upstream="users", reason="circuit-open") == 1
    assert value(metrics, "gateway_upstream_failures_total", upstream="users", reason="dependency-failed") is None
    assert value(metrics, "gateway_operation_duration_seconds_count", upstream="users") == 2
    assert value(metrics, "gateway_operation_queue_seconds_sum", upstream="users") == 0.3


def test_a_batch_shows_its_size_and_its_longest_chain(metrics: Metrics) -> None:
    results = (result(Response(200, (), b"")), result(Response(200, (), b"")), result(Response(200, (), b"")))
    metrics.batch(summarise(results, 0.1, depth=3))
    read = [
        value(metrics, "gateway_batch_operations_bucket", le="2.0"),
        value(metrics, "gateway_batch_operations_bucket", le="5.0"),
        value(metrics, "gateway_batch_depth_bucket", le="2.0"),
        value(metrics, "gateway_batch_depth_bucket", le="3.0"),
        value(metrics, "gateway_batch_depth_sum"),
    ]
    assert read == [0, 1, 0, 1, 3]


@pytest.mark.parametrize(
    "name", ["gateway_circuit_state", "gateway_batch_depth_count", "gateway_build_info", "process_open_fds"]
)
def test_a_scrape_may_ask_for_one_name(metrics: Metrics, name: str) -> None:
    metrics.read(Readings(lambda: 0, lambda: 0, lambda: 0.0, lambda: 0, lambda: [UpstreamState("users")]))
    families = list(metrics.registry.restricted_registry([name]).collect())
    assert {sample.name for family in families for sample in family.samples} == {name}


def test_gauges_are_read_when_scraped(metrics: Metrics) -> None:
    buffered = 1
    state = UpstreamState("users", 3, {"open": 4}, {"upstream-closed": 5}, "half-open")
    metrics.read(Readings(lambda: 2, lambda: buffered, lambda: 0.25, lambda: 6, lambda: [state]))
    buffered = 7
    read = {
        "gateway_http_requests_in_flight": value(metrics, "gateway_http_requests_in_flight"),
        "gateway_buffered_bytes": value(metrics, "gateway_buffered_bytes"),
        "gateway_event_loop_lag_seconds": value(metrics, "gateway_event_loop_lag_seconds"),
        "gateway_log_lines_dropped_total": value(metrics, "gateway_log_lines_dropped_total"),
        "gateway_upstream_in_flight": value(metrics, "gateway_upstream_in_flight", upstream="users"),
        "gateway_upstream_connections": value(metrics, "gateway_upstream_connections", upstream="users", state="open"),
        "gateway_upstream_retries_total": value(
            metrics, "gateway_upstream_retries_total", upstream="users", reason="upstream-closed"
        ),
        "gateway_circuit_state": value(metrics, "gateway_circuit_state", upstream="users"),
    }
    assert list(read.values()) == [2, 7, 0.25, 6, 3, 4, 5, 1]


def test_what_was_coalesced_is_an_entry_and_no_request(metrics: Metrics) -> None:
    sent = result(Response(200, (), b""))
    metrics.batch(finished(sent, as_coalesced(sent), as_coalesced(result(Failure(Reason.UPSTREAM_CLOSED, "gone")))))
    assert value(metrics, "gateway_coalesced_total", upstream="users") == 2
    assert value(metrics, "gateway_operations_total", upstream="users", method="GET", code="200", outcome="response") == 2
    assert value(metrics, "gateway_upstream_requests_total", upstream="users", code="200") == 1
    assert value(metrics, "gateway_upstream_failures_total", upstream="users", reason="upstream-closed") is None
    assert value(metrics, "gateway_operation_duration_seconds_count", upstream="users") == 1


def test_ten_thousand_hostile_batches_add_a_bounded_number_of_series(metrics: Metrics) -> None:
    before = count_series(metrics)
    for number in range(10_000):
        metrics.request(f"/{number}", f"METHOD{number}", 200 + number, 0.001, tuple(Reason)[number % len(Reason)])
        answered = result(Response(number, (), b""), f"upstream-{number}", f"M{number}")
        failed = result(Failure(tuple(Reason)[number % len(Reason)], f"{number}"), f"upstream-{number}", f"M{number}")
        metrics.batch(finished(answered, failed))
    codes = 70
    assert count_series(metrics) - before <= 3 * codes + 3 * len(Reason)


def test_every_method_and_code_of_one_upstream_stays_bounded(metrics: Metrics) -> None:
    for method, code in itertools.product(["GET", "POST", "X", "Y"], range(100, 1000)):
        metrics.batch(finished(result(Response(code, (), b""), method=method)))
    assert count_series(metrics) < 600
