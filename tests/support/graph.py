"""The Graph dialect as one request to the gateway has it."""

from datetime import UTC, datetime

from gateway.dialects.graph import Graph
from gateway.dialects.graph_encode import Occasion
from gateway.dialects.graph_url import Base

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()


def make_graph(prefix: str = "/v1.0", host: str = "gateway.example", keeps_version: bool = False) -> Graph:
    """For a batch posted to `/v1.0/$batch` on gateway.example, at 2026-01-02T03:04:05."""
    return Graph(Base(prefix, host, keeps_version), Occasion("request-1", NOW))
