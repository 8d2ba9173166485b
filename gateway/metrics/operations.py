"""Single operations, counted by upstream. The hot path of the metrics: runs once for each entry of every answer."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import Metric

from gateway.batch.results import Result
from gateway.errors import status_of
from gateway.messages import Reason, Response
from gateway.metrics.labels import METHOD_LABELS, OTHER, SECONDS, UNKNOWN, label_code
from gateway.metrics.tally import Buckets, Tally, read_buckets

_UPSTREAM_REASONS = frozenset({Reason.CIRCUIT_OPEN, Reason.UPSTREAM_OVERLOADED})
"""An upstream's failures although nothing was sent."""

_Kind = tuple[str, int | Reason, bool]
"""Method, the upstream's status or why there is none, and whether a request was sent for it: one key for each operation, which
becomes several series when somebody looks. There are few: methods and reasons are closed sets, a status has three digits."""


class _Upstream:
    """What became of the operations of one upstream."""

    __slots__ = ("coalesced", "durations", "kinds", "queues")

    def __init__(self) -> None:
        self.coalesced = 0
        self.kinds: dict[_Kind, int] = {}
        self.durations = Buckets(SECONDS)
        self.queues = Buckets(SECONDS)

    def count(self, result: Result) -> None:
        method = result.operation.method
        if method not in METHOD_LABELS:
            method = OTHER
        outcome = result.outcome
        sent = result.started is not None and not result.coalesced
        kind = (method, outcome.status if isinstance(outcome, Response) else outcome.reason, sent)
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if sent:
            self.durations.observe(result.duration)
            self.queues.observe(outcome.queued)
        elif result.coalesced:
            self.coalesced += 1


class Operations:
    """The operations of all upstreams of a configuration; those of no upstream are counted under UNKNOWN."""

    def __init__(self, upstreams: Iterable[str]) -> None:
        self._unknown = _Upstream()
        self._upstreams = {name: _Upstream() for name in upstreams} | {UNKNOWN: self._unknown}

    def count(self, results: Iterable[Result]) -> None:
        """Count entries of an answer."""
        find, unknown = self._upstreams.get, self._unknown
        for result in results:
            find(result.upstream, unknown).count(result)

    def read(self) -> Iterator[Metric]:
        """Everything counted so far."""
        operations = Tally("gateway_operations", "Entries of answers", ("upstream", "method", "code", "outcome"))
        responses = Tally("gateway_upstream_requests", "Operations an upstream answered", ("upstream", "code"))
        failures = Tally("gateway_upstream_failures", "Operations an upstream failed to answer", ("upstream", "reason"))
        for name, upstream in self._upstreams.items():
            for (method, end, sent), count in upstream.kinds.items():
                if isinstance(end, Reason):
                    operations.add((name, method, label_code(status_of(end)), "failure"), count)
                    if sent or end in _UPSTREAM_REASONS:
                        failures.add((name, end.value), count)
                else:
                    operations.add((name, method, label_code(end), "response"), count)
                    if sent:
                        responses.add((name, label_code(end)), count)
        coalesced = Tally("gateway_coalesced", "Operations that shared the answer to another's request", ("upstream",))
        for name, upstream in self._upstreams.items():
            coalesced.add((name,), upstream.coalesced)
        yield from (operations.read(), responses.read(), failures.read(), coalesced.read())
        durations = {name: upstream.durations for name, upstream in self._upstreams.items()}
        queues = {name: upstream.queues for name, upstream in self._upstreams.items()}
        yield read_buckets("gateway_operation_duration_seconds", "From ready to last byte", "upstream", durations)
        yield read_buckets("gateway_operation_queue_seconds", "Waiting for a connection or a retry", "upstream", queues)
