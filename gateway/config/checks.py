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
    yield from check_jobs(settings)
    yield from check_clients(settings)
    yield from check_ivvy(settings)
    yield from check_openai(settings)


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


def check_jobs(settings: Settings) -> Iterator[Finding]:
    """A part is not allowed more than the whole, attempts to call back come one after the other, and somebody may have jobs."""
    jobs = settings.jobs
    written = jobs.model_fields_set
    for part in ("concurrency_beside_live", "concurrency_per_job"):
        # A default that is more than what was written means no more than that.
        if part in written and getattr(jobs, part) > jobs.concurrency:
            message = f"must not be more than jobs.concurrency ({jobs.concurrency})"
            yield Finding(("jobs", part), message, (("jobs", "concurrency"),))
    if "line" in written and jobs.line > jobs.upload:
        message = f"must not be more than jobs.upload ({format_size(jobs.upload)})"
        yield Finding(("jobs", "line"), message, (("jobs", "upload"),))
    for index in range(1, len(jobs.callbacks.retries)):
        if jobs.callbacks.retries[index] <= jobs.callbacks.retries[index - 1]:
            yield Finding(("jobs", "callbacks", "retries", index), "must be more than the one before it")
    signs = settings.dialects.ivvy.signed and settings.dialects.ivvy.path is not None
    can_ask = any(client.keys or (signs and client.ivvy) for client in settings.clients.values())
    if jobs.enabled and jobs.auth == "keys" and not can_ask:
        message = "needs a client that has keys (clients.NAME.keys), or jobs.auth: none"
        yield Finding(("jobs", "enabled"), message, (("jobs", "auth"), ("clients",), ("dialects", "ivvy")))


def check_clients(settings: Settings) -> Iterator[Finding]:
    """A key shows who asks, so no two clients have the same. The lists are pointed at: a message shows no key."""
    owners: dict[str, str] = {}
    for name, client in settings.clients.items():
        for key in client.keys:
            if key in owners:
                whose = "this client" if owners[key] == name else f"clients.{owners[key]}"
                yield Finding(("clients", name, "keys"), f"has a key that {whose} has already", (("clients",),))
            owners.setdefault(key, name)
    pairs: dict[str, str] = {}
    for name, client in settings.clients.items():
        if client.ivvy is None:
            continue
        if client.ivvy.key in pairs:
            message = f"has the key that clients.{pairs[client.ivvy.key]} has already"
            yield Finding(("clients", name, "ivvy"), message, (("clients",),))
        pairs.setdefault(client.ivvy.key, name)


def check_ivvy(settings: Settings) -> Iterator[Finding]:
    """Jobs are taken, the catalog is there, somebody can sign, and the path is not taken."""
    ivvy = settings.dialects.ivvy
    path = ("dialects", "ivvy")
    if ivvy.catalog is not None and ivvy.catalog not in settings.catalogs:
        yield Finding((*path, "catalog"), "must be one of the catalogs", (("catalogs",),))
    if ivvy.path is None:
        return
    if not settings.jobs.enabled:
        yield Finding((*path, "path"), "needs jobs.enabled", (("jobs",),))
    if settings.server.only_stored and ivvy.catalog is None:
        yield Finding((*path, "path"), "needs a catalog, because of server.only_stored", (("server", "only_stored"),))
    if ivvy.signed and not any(client.ivvy for client in settings.clients.values()):
        yield Finding((*path, "signed"), "needs a client that has a key pair (clients.NAME.ivvy)", (("clients",),))
    if _is_taken(ivvy.path, settings):
        yield Finding((*path, "path"), "must not be that of anything else served", (("dialects",),))


def check_openai(settings: Settings) -> Iterator[Finding]:
    """What is below its path is not taken."""
    openai = settings.dialects.openai
    if not openai.enabled or not settings.jobs.enabled:
        return
    own = tuple([f"{openai.path.rstrip('/')}/{name}" for name in ("files", "batches")])
    others = settings.dialects
    taken = [*DIALECTS, "/batch/plan", "/jobs"]
    taken += [others.collector.path] if others.collector.catalog is not None else []
    taken += others.graph.paths if others.graph.enabled else ()
    taken += [others.ivvy.path] if others.ivvy.path is not None else []
    if any(_is_below(path, one) for path in taken for one in own):
        yield Finding(("dialects", "openai", "path"), "must leave /files and /batches below it to it alone", (("dialects",),))


def _is_taken(path: str, settings: Settings) -> bool:
    """Whether batches of another kind are taken there."""
    graph, collector = settings.dialects.graph, settings.dialects.collector
    taken = {*DIALECTS, "/batch/plan", *(graph.paths if graph.enabled else ())}
    taken |= {collector.path} if collector.catalog is not None else set()
    return path in taken or any(_is_below(path, one) for one in ("/views", "/jobs"))


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _find_repeated(names: Iterable[str]) -> Iterator[int]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield index
        seen.add(name)
