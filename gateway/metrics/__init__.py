"""Every metric: what is counted as it happens, what is read when somebody looks, and several processes' figures as one.

The home of prometheus-client. Labels come from closed sets, so no client can add a series; names are Prometheus' own style:
base units, `_total` for what only grows. Knows results as values and no other room.
"""

from gateway.metrics.counting import Metrics
from gateway.metrics.jobs import JobMetrics
from gateway.metrics.readings import Readings, UpstreamState

__all__ = ["JobMetrics", "Metrics", "Readings", "UpstreamState"]
