"""Every setting: its name, kind, bounds, default, and the sentence that editors show for it. All are frozen.

Times are seconds, sizes bytes, header names lower case. `load` adds the checks that look at several settings at once.
"""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway.batch.limits import Limits
from gateway.batch.routes import METHODS, HeaderPolicy, Route, RouteTable
from gateway.config.addresses import Network, read_host, read_network, read_origin
from gateway.config.headers import TOKEN, read_forwarded_name, read_header_name, read_header_value, read_set_name
from gateway.config.kinds import (
    Count,
    CountOrZero,
    Duration,
    DurationOrZero,
    OptionalDuration,
    OptionalFile,
    OptionalName,
    Port,
    PositiveRatio,
    Ratio,
    Size,
    Switch,
    choice,
    from_text,
    text,
    whole_number,
)
from gateway.config.prefixes import PREFIX_PATTERN, read_prefix
from gateway.config.problems import Wrong

Host = Annotated[str, from_text(read_host)]
Pseudonym = Annotated[str, text(TOKEN, "one word of letters, digits and -._~")]
Origin = Annotated[str, from_text(read_origin, r"^(https?|http\+unix)://[^/?#@\s]+/?$")]
TOKEN_PATTERN = f"^{TOKEN}$"
NAME_PATTERN = "[a-z][a-z0-9_-]{0,62}"
UpstreamName = Annotated[str, text(NAME_PATTERN, "lower-case letters, digits, - and _, at most 63, a letter first")]
Prefix = Annotated[str, from_text(read_prefix, PREFIX_PATTERN)]
Method = Annotated[str, choice(*METHODS)]
ForwardedName = Annotated[str, from_text(read_forwarded_name, TOKEN_PATTERN)]
HeaderName = Annotated[str, from_text(read_header_name, TOKEN_PATTERN)]
SetName = Annotated[str, from_text(read_set_name)]
HeaderValue = Annotated[str, from_text(read_header_value, secret=True)]
Networks = tuple[Annotated[Network, from_text(read_network)], ...]


class Section(BaseModel):
    """Settings that stand together under one key."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


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


class RouteSettings(Section):
    """A path prefix that leads to the upstream. The prefix alone may be written in its place."""

    path: Prefix = Field(description="Prefix of whole path segments: /users serves /users and /users/1, not /usersX.")
    methods: tuple[Method, ...] | None = Field(
        default=None, min_length=1, description="The methods allowed here; those of the upstream if left out."
    )
    max_per_batch: CountOrZero = Field(
        default=0, description="The most operations of one batch that may come here; 0 is no limit."
    )

    @model_validator(mode="before")
    @classmethod
    def _take_the_prefix_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class HeaderSettings(Section):
    """What happens to headers on the way to the upstream: forward, then deny, then set."""

    forward: tuple[ForwardedName, ...] = Field(
        default=(), description="Headers of the client's request that every operation gets."
    )
    deny: tuple[HeaderName, ...] = Field(default=(), description="Headers that are taken away, whoever sent them.")
    # Often a credential: kept out of repr, and so out of logs and tracebacks.
    set: Mapping[SetName, HeaderValue] = Field(
        default={}, repr=False, description="Headers that every operation gets from here; a batch cannot override them."
    )

    @field_validator("set", mode="before")
    @classmethod
    def _refuse_one_name_in_two_cases(cls, value: Any) -> Any:
        names = [str(name).lower() for name in value] if isinstance(value, dict) else []
        for index, name in enumerate(names):
            if name in names[:index]:
                raise Wrong(f"has the header {name} twice: upper and lower case are the same", shows_value=False)
        return value

    def as_policy(self) -> HeaderPolicy:
        """The same for the batch room."""
        return HeaderPolicy(frozenset(self.forward), frozenset(self.deny), tuple(self.set.items()))


class BreakerSettings(Section):
    """Leaves a failing upstream alone for a while."""

    enabled: Switch = Field(default=True, description="Whether there is a breaker.")
    failure_ratio: PositiveRatio = Field(default=0.5, description="Share of failed requests in the window from which it opens.")
    minimum: Count = Field(default=20, description="Fewer requests than this in the window never open it.")
    window: Duration = Field(default=10.0, description="How far back requests count.")
    cooldown: Duration = Field(default=5.0, description="How long it stays open before one request tries again.")


class TlsSettings(Section):
    """How an https upstream is checked, and how the gateway shows who it is. Files are PEM."""

    verify: Switch = Field(
        default=True, description="Check the upstream's certificate and name. Switch off for experiments only."
    )
    ca: OptionalFile = Field(default=None, description="File of the authorities to trust; those of the system if left out.")
    certificate: OptionalFile = Field(default=None, description="File of the gateway's own certificate, for mutual TLS.")
    key: OptionalFile = Field(default=None, description="File of that certificate's key; left out if it is in the same file.")
    server_name: OptionalName = Field(default=None, description="Name to ask for and to check; the URL's host if left out.")


class UpstreamSettings(Section):
    """A service behind the gateway."""

    url: Origin = Field(
        description="http or https origin without a path, such as http://users:8080, or http+unix://%2Frun%2Fusers.sock."
    )
    routes: tuple[RouteSettings, ...] = Field(min_length=1, description="The paths that lead here.")
    timeout: Duration = Field(default=10.0, description="The most one operation may take here, waiting and retries included.")
    connect_timeout: Duration = Field(default=2.0, description="The most that connecting may take, TLS included.")
    first_byte_timeout: OptionalDuration = Field(
        default=None, description="The most until an answer begins; as long as the operation has time if left out."
    )
    methods: tuple[Method, ...] = Field(default=METHODS, min_length=1, description="The methods allowed here.")
    connections: Count = Field(default=100, description="The most connections, and so requests, at one time.")
    queue: CountOrZero = Field(default=1000, description="The most requests waiting for a connection; more are answered 503.")
    keepalive: DurationOrZero = Field(default=10.0, description="How long an idle connection is kept; 0 uses each one once.")
    max_age: Duration = Field(default=300.0, description="How long any connection is used, so that changes in DNS are seen.")
    retries: Annotated[int, whole_number(0, 10)] = Field(default=1, description="The most retries of an idempotent request.")
    retry_budget: Ratio = Field(default=0.1, description="Retries as a share of requests; more are not made.")
    headers: HeaderSettings = Field(default=HeaderSettings(), description="What happens to headers on the way here.")
    pass_set_cookie: Switch = Field(default=False, description="Whether answers show the Set-Cookie headers from here.")
    breaker: BreakerSettings = Field(default=BreakerSettings(), description="When to leave this upstream alone.")
    tls: TlsSettings = Field(default=TlsSettings(), description="For an https URL: how it is checked.")

    def make_routes(self, name: str) -> tuple[Route, ...]:
        """The routes that lead here, for the batch room."""
        policy = self.headers.as_policy()
        return tuple(
            Route(
                upstream=name,
                prefix=route.path,
                timeout=self.timeout,
                methods=frozenset(route.methods or self.methods),
                max_per_batch=route.max_per_batch,
                policy=policy,
                show_cookies=self.pass_set_cookie,
            )
            for route in self.routes
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
    paths: PathSettings = Field(default=PathSettings(), description="Which unusual paths are allowed.")
    references: ReferenceSettings = Field(default=ReferenceSettings(), description="Which costly references are allowed.")

    def route_table(self) -> RouteTable:
        """The routes of all upstreams, in the order of the file."""
        return RouteTable(tuple(route for name, upstream in self.upstreams.items() for route in upstream.make_routes(name)))
