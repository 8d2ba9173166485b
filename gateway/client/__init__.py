"""The Python client of a gateway: send a batch, read what became of it, see when each operation ran.

This room speaks to a gateway over HTTP like any other client. It must not know the rooms that make one (server, upstreams,
pipeline), nor how an answer is shown.
"""

from gateway.client.answer import BatchAnswer, Entry
from gateway.client.connection import GatewayClient
from gateway.client.refused import Complaint, GatewayRefused, GatewayUnreachable

__all__ = ["BatchAnswer", "Complaint", "Entry", "GatewayClient", "GatewayRefused", "GatewayUnreachable"]
