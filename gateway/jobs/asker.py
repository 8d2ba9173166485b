"""Who asked for a job, kept with it: what its requests carry, as if they had been sent at once."""

from typing import Any

from gateway.batch.routes import RouteTable
from gateway.jsontext import dump, load
from gateway.messages import Context, Headers, Trace


def dump_asker(context: Context, routes: RouteTable, keys: bool) -> bytes:
    """JSON text of a Context. Of its headers only what some route forwards is written to disk.

    `keys`: clients show API keys of this gateway (`jobs.auth: keys`). These are never kept, and reach no upstream.
    """
    forwarded = frozenset([name for route in routes.routes for name in route.policy.forward])
    wanted = forwarded - {"authorization"} if keys else forwarded
    kept = [(name, value) for name, value in context.headers if name in wanted]
    return dump([context.request_id, list(context.trace), context.client, kept, context.identity])


def load_asker(text: bytes) -> Context:
    """The Context again. It is ours, so nothing is checked."""
    request_id, trace, client, headers, identity = load(text)
    return Context(request_id, Trace(*trace), client, _fields(headers), _fields(identity))


def _fields(pairs: Any) -> Headers:
    return tuple([(name, value) for name, value in pairs])
