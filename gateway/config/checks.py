"""What settings must be to each other, once each is right by itself, and which files must be there.

A check is a function from settings to findings. A finding names the setting to point at and every setting it compared, so that
nothing is said about a setting that is wrong already. Messages repeat no text from the file: that is left to `load`, which
knows what may be shown.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath
from typing import NamedTuple

from gateway.config.addresses import overlap, reaches, split_origin
from gateway.config.problems import Path
from gateway.config.settings import Settings
from gateway.config.units import format_duration, format_size
from gateway.config.upstreams import TlsSettings, UpstreamSettings
from gateway.dialects.registry import DIALECTS


class Finding(NamedTuple):
    """One problem. `path` is where it is shown, `compared` what else it depends on."""

    path: Path
    message: str
    compared: tuple[Path, ...] = ()


def check(settings: Settings) -> Iterator[Finding]:
    """Everything that does not fit together."""
    yield from check_listeners(settings)
    yield from check_limits(settings)
    if not settings.upstreams:
        yield Finding(("upstreams",), "must name at least one upstream")
    for name, upstream in settings.upstreams.items():
        path = ("upstreams", name)
        yield from check_loop(settings, path, upstream)
        yield from check_routes(path, upstream)
        yield from check_headers(path, upstream)
        yield from check_tls(path, upstream)
    yield from check_catalogs(settings)
    yield from check_graph(settings)
    yield from check_collector(settings)
    yield from check_views(settings)


def check_listeners(settings: Settings) -> Iterator[Finding]:
    """Two listeners cannot share a port; port 0 is a different one each time."""
    server, admin = settings.server, settings.admin
    if server.port == admin.port != 0 and overlap(server.host, admin.host):
        yield Finding(
            ("admin", "port"),
            "must differ from server.port on the same host",
            (("server", "port"), ("server", "host"), ("admin", "host")),
        )


def check_limits(settings: Settings) -> Iterator[Finding]:
    """A part is not allowed more than the whole."""
    limits = settings.limits
    for part, whole in (("operation_timeout", "timeout"), ("response", "answer"), ("answer", "buffered")):
        show = format_duration if part == "operation_timeout" else format_size
        most = getattr(limits, whole)
        if getattr(limits, part) > most:
            yield Finding(("limits", part), f"must not be more than limits.{whole} ({show(most)})", (("limits", whole),))


def check_loop(settings: Settings, path: Path, upstream: UpstreamSettings) -> Iterator[Finding]:
    """Operations must not come back: as batches they would multiply, on the operators' side they would be believed."""
    target = split_origin(upstream.url)
    if target is None:
        return  # the gateway listens on no unix socket
    host, port = target
    for name, listener in (("server", settings.server), ("admin", settings.admin)):
        if port == listener.port and reaches(host, listener.host):
            message = f"must not be the gateway's own address ({name}.host and {name}.port)"
            yield Finding((*path, "url"), message, ((name, "host"), (name, "port")))


def check_routes(path: Path, upstream: UpstreamSettings) -> Iterator[Finding]:
    """A prefix stands once in an upstream. Two upstreams may share one: then an operation names the upstream it wants."""
    for index in _find_repeated([route.path for route in upstream.routes]):
        yield Finding((*path, "routes", index), "repeats a prefix of this upstream", ((*path, "routes"),))


def check_headers(path: Path, upstream: UpstreamSettings) -> Iterator[Finding]:
    """Each list names a header once, in any case, and nothing is both forwarded and taken away again."""
    headers = upstream.headers
    for option, names in (("forward", headers.forward), ("deny", headers.deny)):
        for index in _find_repeated(names):
            yield Finding((*path, "headers", option, index), "repeats a header of this list")
    for index, name in enumerate(headers.forward):
        if name in headers.deny:
            message = "must not be in headers.deny too, which takes it away again"
            yield Finding((*path, "headers", "forward", index), message, ((*path, "headers", "deny"),))


def check_tls(path: Path, upstream: UpstreamSettings) -> Iterator[Finding]:
    """TLS settings mean that TLS is wanted; a key belongs to a certificate; the files are there."""
    if "tls" in upstream.model_fields_set and not upstream.url.startswith("https:"):
        yield Finding((*path, "tls"), "needs an https url", ((*path, "url"),))
    if upstream.tls.key and not upstream.tls.certificate:
        yield Finding((*path, "tls", "key"), "needs tls.certificate beside it", ((*path, "tls", "certificate"),))
    yield from _check_files((*path, "tls"), upstream.tls)


def _check_files(path: Path, tls: TlsSettings) -> Iterator[Finding]:
    for option, file in (("ca", tls.ca), ("certificate", tls.certificate), ("key", tls.key)):
        if file is not None and not FilePath(file).is_file():
            yield Finding((*path, option), "must be a file that exists")


def check_catalogs(settings: Settings) -> Iterator[Finding]:
    """The templates and schemas of every kind can be used, and its paths lead to an upstream."""
    rules, routes = settings.make_template_rules(), settings.route_table()
    for name, catalog in settings.catalogs.items():
        for path, message in catalog.find_wrong(rules, routes):
            yield Finding(("catalogs", name, *path), message, (("upstreams",), ("limits",), ("paths",), ("references",)))


def check_views(settings: Settings) -> Iterator[Finding]:
    """The envelope of every view has a plan, and its parameters and what it selects can be used."""
    rules, routes = settings.make_rules(), settings.route_table()
    taken = {settings.dialects.collector.path, *settings.dialects.graph.paths}
    for name, view in settings.views.items():
        if f"/views/{name}" in taken:
            yield Finding(("views", name), "must not have the path of a dialect", (("dialects",),))
        for path, message in view.find_wrong(rules, routes):
            yield Finding(("views", name, *path), message, (("upstreams",), ("limits",), ("paths",), ("references",)))


def check_graph(settings: Settings) -> Iterator[Finding]:
    """Its paths are not taken."""
    paths = settings.dialects.graph.paths
    repeated = frozenset(_find_repeated(paths))
    for index, path in enumerate(paths if settings.dialects.graph.enabled else ()):
        if path in DIALECTS or path == "/batch/plan" or index in repeated:
            yield Finding(("dialects", "graph", "paths", index), "must not stand twice or be that of another dialect")


def check_collector(settings: Settings) -> Iterator[Finding]:
    """The catalog is there, and the path is not taken."""
    collector = settings.dialects.collector
    path = ("dialects", "collector")
    if collector.catalog is None:
        return
    if collector.catalog not in settings.catalogs:
        yield Finding((*path, "catalog"), "must be one of the catalogs", (("catalogs",),))
    graph = settings.dialects.graph
    taken = (*DIALECTS, "/batch/plan", *(graph.paths if graph.enabled else ()))
    if collector.path in taken or collector.path.startswith("/views/"):
        yield Finding((*path, "path"), "must not be that of anything else served", (("dialects", "graph"),))


def _find_repeated(names: Iterable[str]) -> Iterator[int]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield index
        seen.add(name)
