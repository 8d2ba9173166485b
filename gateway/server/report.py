"""Tells the metrics and the log about requests that are over."""

from gateway.logs import Logs
from gateway.metrics import Metrics
from gateway.server.exchange import Exchange, Report


def make_report(metrics: Metrics, logs: Logs) -> Report:
    """A Report that counts and logs."""

    def report(exchange: Exchange) -> None:
        metrics.request(exchange.route, exchange.method, exchange.status, exchange.duration, exchange.reason)
        if exchange.finished is not None:
            metrics.batch(exchange.finished)
        logs.request(
            exchange.context,
            method=exchange.method,
            dialect=exchange.dialect,
            status=exchange.status,
            bytes_in=exchange.bytes_in,
            bytes_out=exchange.bytes_out,
            duration=exchange.duration,
            reason=exchange.reason,
            detail=exchange.detail,
            finished=exchange.finished,
        )
        if exchange.bug is not None:
            logs.error("bug", bug=exchange.bug, request_id=exchange.context.request_id)

    return report
