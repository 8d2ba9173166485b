"""The settings of one upstream. What `gateway.config.settings` says of settings holds for these."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from gateway.batch.routes import METHODS, HeaderPolicy, Route
from gateway.config.addresses import read_origin
from gateway.config.headers import TOKEN, read_forwarded_name, read_header_name, read_header_value, read_set_name
from gateway.config.jobs import UpstreamJobSettings
from gateway.config.kinds import (
    Count,
    CountOrZero,
    Duration,
    DurationOrZero,
    OptionalDuration,
    OptionalFile,
    OptionalName,
    PositiveRatio,
    Ratio,
    Switch,
    choice,
    from_text,
    whole_number,
)
from gateway.config.prefixes import PREFIX_PATTERN, read_prefix
from gateway.config.problems import Wrong
from gateway.config.section import Section

Origin = Annotated[str, from_text(read_origin, r"^(https?|http\+unix)://[^/?#@\s]+/?$")]
TOKEN_PATTERN = f"^{TOKEN}$"
Prefix = Annotated[str, from_text(read_prefix, PREFIX_PATTERN)]
Method = Annotated[str, choice(*METHODS)]
ForwardedName = Annotated[str, from_text(read_forwarded_name, TOKEN_PATTERN)]
HeaderName = Annotated[str, from_text(read_header_name, TOKEN_PATTERN)]
SetName = Annotated[str, from_text(read_set_name)]
HeaderValue = Annotated[str, from_text(read_header_value, secret=True)]


class RouteSettings(Section):
    """A path prefix that leads to the upstream. The prefix alone may be written in its place."""

    path: Prefix = Field(description="Prefix of whole path segments: /users serves /users and /users/1, not /usersX.")
    methods: tuple[Method, ...] | None = Field(
        default=None, min_length=1, description="The methods allowed here; those of the upstream if left out."
    )
    max_per_batch: CountOrZero = Field(
        default=0, description="The most operations of one batch that may come here; 0 is no limit."
    )

    file_batches: Switch = Field(
        default=False, description="Whether files of requests may be run against this path (jobs, the openai dialect)."
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
    coalesce: Switch = Field(
        default=True, description="Whether GET and HEAD requests of one batch that are alike are sent here only once."
    )
    breaker: BreakerSettings = Field(default=BreakerSettings(), description="When to leave this upstream alone.")
    jobs: UpstreamJobSettings = Field(default=UpstreamJobSettings(), description="What batches that run later may do here.")
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
                coalesce=self.coalesce,
                file_batches=route.file_batches,
            )
            for route in self.routes
        )
