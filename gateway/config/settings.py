"""Every setting: its name, kind, bounds, default, and the sentence that editors show for it. All are frozen.

Times are seconds, sizes bytes, header names lower case. `load` adds the checks that look at several settings at once.
"""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from gateway.batch.compile import Rules
from gateway.batch.limits import Limits
from gateway.batch.routes import RouteTable
from gateway.batch.target import TargetRules
from gateway.config.addresses import Network, read_host, read_network
from gateway.config.catalogs import CATALOG_PATTERN, CatalogSettings
from gateway.config.dialects import DialectSettings
from gateway.config.headers import TOKEN
from gateway.config.jobs import ClientSettings, JobSettings
from gateway.config.kinds import (
    Count,
    CountOrZero,
    Duration,
    DurationOrZero,
    Port,
    Size,
    Switch,
    choice,
    from_text,
    text,
    whole_number,
)
from gateway.config.section import Section
from gateway.config.upstreams import UpstreamSettings
from gateway.config.views import ViewSettings

Host = Annotated[str, from_text(read_host)]
Pseudonym = Annotated[str, text(TOKEN, "one word of letters, digits and -._~")]
NAME_PATTERN = "[a-z][a-z0-9_-]{0,62}"
UpstreamName = Annotated[str, text(NAME_PATTERN, "lower-case letters, digits, - and _, at most 63, a letter first")]
CatalogName = Annotated[str, text(CATALOG_PATTERN, "lower-case letters, digits, - and _, at most 63, a letter first")]
ClientName = Annotated[str, text(NAME_PATTERN, "lower-case letters, digits, - and _, at most 63, a letter first")]
ViewName = Annotated[str, text(NAME_PATTERN, "lower-case letters, digits, - and _, at most 63, a letter first")]
Networks = tuple[Annotated[Network, from_text(read_network)], ...]


class ServerSettings(Section):
    """The public side: where batches are taken."""

    host: Host = Field(default="127.0.0.1", description="Address or name to listen on; 0.0.0.0 or :: for every interface.")
    port: Port = Field(default=8080, description="Port for batches; 0 takes any free one.")
    name: Pseudonym = Field(
        default="gateway", description="Name in the Via header; a request that has it already is refused as a loop."
    )
    trusted_proxies: Networks = Field(
        default=(), description="Networks (CIDR) of the proxies whose X-Forwarded-* and X-Request-Id headers are believed."
    )
    drain_delay: DurationOrZero = Field(
        default=5.0, description="After SIGTERM: how long new connections are still taken while /readyz says no."
    )
    shutdown_timeout: DurationOrZero = Field(
        default=25.0, description="After the drain delay: how long batches in flight may still take."
    )
    heartbeat: Duration = Field(
        default=15.0, description="How long a streamed answer may be silent before a sign of life is written into it."
    )
    only_stored: Switch = Field(
        default=False,
        description="Take no batches that clients write themselves: only stored ones and operations of a catalog.",
    )


class AdminSettings(Section):
    """The operators' side, on its own port: health and metrics. Never make it public."""

    host: Host = Field(default="127.0.0.1", description="Address or name to listen on.")
    port: Port = Field(default=9090, description="Port for /livez, /readyz and /metrics; 0 takes any free one.")


class LogSettings(Section):
    """What is logged, and how it looks."""

    level: Annotated[Literal["debug", "info", "warning", "error"], choice("debug", "info", "warning", "error")] = Field(
        default="info", description="The least important lines that are still written."
    )
    format: Annotated[Literal["auto", "json", "text"], choice("auto", "json", "text")] = Field(
        default="auto", description="json for machines, text for people; auto is text on a terminal."
    )


_LIMITS = Limits()


def _at_most(name: str, default: float) -> Any:
    """A default that gives way to a smaller setting `name`, so that lowering one limit does not mean writing two."""
    return lambda given: min(default, given.get(name, default))


class LimitSettings(Section):
    """What a batch, an answer and the whole gateway may cost. A limit itself is still allowed."""

    body: Size = Field(default=_LIMITS.body, description="Largest request body, after decompression.")
    depth: Annotated[int, whole_number(1, 200)] = Field(default=_LIMITS.depth, description="Deepest nesting of its JSON.")
    operations: Count = Field(
        default=_LIMITS.operations, description="Most operations written in a batch, nested ones included."
    )
    items: Count = Field(default=_LIMITS.items, description="Most items that one forEach runs for.")
    expanded_operations: Count = Field(default=_LIMITS.expanded_operations, description="Most operations after every forEach.")
    dependency_depth: Count = Field(
        default=_LIMITS.dependency_depth, description="Longest chain of operations that wait for each other."
    )
    name: Count = Field(default=_LIMITS.name, description="Longest operation name, in characters.")
    target: Count = Field(default=_LIMITS.target, description="Longest path with query, in bytes.")
    headers: CountOrZero = Field(default=_LIMITS.headers, description="Most headers of an operation.")
    header: Size = Field(default=_LIMITS.header, description="Largest header, name and value.")
    references: CountOrZero = Field(default=_LIMITS.references, description="Most references in a batch.")
    references_per_operation: CountOrZero = Field(
        default=_LIMITS.references_per_operation, description="Most references in an operation."
    )
    reference: Annotated[int, whole_number(1, 4096)] = Field(
        default=_LIMITS.reference, description="Longest JSONPath, in characters."
    )
    reference_segments: Annotated[int, whole_number(1, 100)] = Field(
        default=_LIMITS.reference_segments, description="Most segments of a JSONPath."
    )
    value: Size = Field(default=_LIMITS.value, description="Largest value that a reference fills in.")
    value_matches: Count = Field(default=_LIMITS.value_matches, description="Most matches of a reference.")
    value_visits: Count = Field(default=_LIMITS.value_visits, description="Most places that one reference may look at.")
    timeout: Duration = Field(default=_LIMITS.timeout, description="The most a whole batch may take; a batch may ask for less.")
    operation_timeout: Duration = Field(
        default_factory=_at_most("timeout", _LIMITS.operation_timeout),
        json_schema_extra={"default": _LIMITS.operation_timeout},
        description="The most one operation may take; an upstream or an operation may say less.",
    )
    buffered: Size = Field(
        default=256 << 20, description="Bytes held for all batches together; near it new batches are answered 503."
    )
    answer: Size = Field(
        default_factory=_at_most("buffered", _LIMITS.answer),
        json_schema_extra={"default": _LIMITS.answer},
        description="Largest answer to a batch.",
    )
    response: Size = Field(
        default_factory=_at_most("answer", _LIMITS.response),
        json_schema_extra={"default": _LIMITS.response},
        description="Largest response of an upstream, after decompression.",
    )
    connections: Count = Field(default=10_000, description="Most client connections at one time.")
    header_timeout: Duration = Field(default=10.0, description="The most a client may take to send a request's headers.")
    body_timeout: Duration = Field(default=30.0, description="The most a client may take to send a request's body.")
    write_timeout: Duration = Field(
        default=30.0, description="How long an answer may stand still because the client does not read."
    )
    keepalive_timeout: Duration = Field(default=75.0, description="How long an idle client connection is kept.")

    def batch_limits(self) -> Limits:
        """Those that the batch room knows."""
        return Limits(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Limits)})


class PathSettings(Section):
    """Spellings of paths that services are known to read differently; refused unless switched on."""

    encoded_slash: Switch = Field(default=False, description="Allow %2F in a path.")
    semicolon: Switch = Field(default=False, description="Allow ; in a path.")


class ReferenceSettings(Section):
    """Parts of JSONPath whose cost depends on the data; refused unless switched on."""

    descendants: Switch = Field(default=False, description="Allow .. (any depth).")
    filters: Switch = Field(default=False, description="Allow ?(…).")


class Settings(Section):
    """Configuration of the batch gateway."""

    server: ServerSettings = Field(default=ServerSettings(), description="The public side: where batches are taken.")
    admin: AdminSettings = Field(default=AdminSettings(), description="The operators' side, on its own port.")
    log: LogSettings = Field(default=LogSettings(), description="What is logged, and how it looks.")
    upstreams: Mapping[UpstreamName, UpstreamSettings] = Field(
        default={}, description="The services behind the gateway, by name; at least one."
    )
    limits: LimitSettings = Field(default=LimitSettings(), description="What a batch, an answer and the gateway may cost.")
    catalogs: Mapping[CatalogName, CatalogSettings] = Field(
        default={}, description="Kinds of operation that clients ask for by name: what each must hold, and what is sent for it."
    )
    dialects: DialectSettings = Field(default=DialectSettings(), description="Formats of batches beside the native one.")
    views: Mapping[ViewName, ViewSettings] = Field(
        default={}, description="Stored batches by name: each is served at /views/<name>, and clients only give its parameters."
    )
    jobs: JobSettings = Field(default=JobSettings(), description="Batches that run later: files, callback jobs, native ones.")
    clients: Mapping[ClientName, ClientSettings] = Field(
        default={}, description="Who has jobs here, by name; what one client has, no other sees."
    )
    paths: PathSettings = Field(default=PathSettings(), description="Which unusual paths are allowed.")
    references: ReferenceSettings = Field(default=ReferenceSettings(), description="Which costly references are allowed.")

    def make_rules(self) -> Rules:
        """What envelopes may hold."""
        targets = TargetRules(self.paths.encoded_slash, self.paths.semicolon)
        return Rules(self.limits.batch_limits(), targets, self.references.descendants, self.references.filters)

    def make_template_rules(self) -> Rules:
        """The same for templates of the configuration, which read parameters too."""
        return dataclasses.replace(self.make_rules(), parameters=True)

    def route_table(self) -> RouteTable:
        """The routes of all upstreams, in the order of the file."""
        return RouteTable(tuple(route for name, upstream in self.upstreams.items() for route in upstream.make_routes(name)))
