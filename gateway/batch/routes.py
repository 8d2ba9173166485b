"""Which upstream serves a path: longest prefix, on whole segments."""

from dataclasses import dataclass, field

from gateway.batch.target import comparable
from gateway.messages import Headers

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""The methods an operation may have. CONNECT and TRACE are not among them, ever."""


@dataclass(frozen=True, slots=True)
class HeaderPolicy:
    """What an upstream does to headers; lower-case names.

    `forward`: taken from the outer request. `deny`: removed, whoever sent it. `set`: set after that, and not to be overridden.
    """

    forward: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()
    set: Headers = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Route:
    """A path prefix that leads to an upstream. `timeout` is the upstream's, in seconds; `max_per_batch` 0 means no limit.

    `coalesce`: requests of one batch that are alike may be sent once. `file_batches`: files of requests may be run here.
    """

    upstream: str
    prefix: str
    timeout: float = 10.0
    methods: frozenset[str] = frozenset(METHODS)
    max_per_batch: int = 0
    policy: HeaderPolicy = field(default_factory=HeaderPolicy)
    show_cookies: bool = False
    coalesce: bool = True
    file_batches: bool = False


class RouteTable:
    """All routes of a configuration."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self.routes = routes
        self.has_shares = any(route.max_per_batch for route in routes)
        self.upstreams = frozenset(route.upstream for route in routes)
        self._by_prefix: dict[str, tuple[Route, ...]] = {}
        for route in routes:
            prefix = comparable(route.prefix).rstrip("/")
            self._by_prefix[prefix] = (*self._by_prefix.get(prefix, ()), route)
        self._above = frozenset([above for prefix in self._by_prefix for above in _all_above(prefix)])

    def look_up(self, path: str, upstream: str | None = None) -> tuple[Route, ...]:
        """The routes of `path` (no query) with the longest prefix that ends at a segment boundary; of `upstream` if given.

        None if nothing serves the path, more than one if several upstreams have the same prefix and none is named.
        """
        prefix = comparable(path).rstrip("/")
        while True:
            routes = self._by_prefix.get(prefix, ())
            if routes and upstream is not None:
                routes = tuple(route for route in routes if route.upstream == upstream)
            if routes or not prefix:
                return routes
            prefix = prefix[: prefix.rfind("/")]

    def has_below(self, path: str) -> bool:
        """Whether some route's prefix begins with `path`, whole segments, and goes on.

        If none does, whatever stands in further segments leads where `path` leads: each segment is read by itself.
        """
        return comparable(path).rstrip("/") in self._above


def _all_above(prefix: str) -> list[str]:
    """What a prefix begins with: `/a` and the empty one for `/a/b`."""
    segments = prefix.split("/")
    return ["/".join(segments[:count]) for count in range(1, len(segments))]
