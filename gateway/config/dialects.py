"""The settings of dialects beside the native one. What `gateway.config.settings` says of settings holds for these."""

from typing import Annotated

from pydantic import Field

from gateway.config.catalogs import OptionalCatalog
from gateway.config.kinds import Keeping, Switch, from_text, optional
from gateway.config.prefixes import PREFIX_PATTERN, read_prefix
from gateway.config.section import Section
from gateway.config.upstreams import Prefix

OptionalPath = Annotated[str | None, optional(from_text(read_prefix, PREFIX_PATTERN))]


class GraphSettings(Section):
    """OData JSON batches, as Microsoft Graph clients send them."""

    enabled: Switch = Field(default=True, description="Whether they are taken.")
    paths: tuple[Prefix, ...] = Field(
        default=("/$batch", "/v1.0/$batch"),
        min_length=1,
        description="Where they are taken. What stands before the last segment is the version prefix, as in /v1.0/$batch.",
    )
    keep_version: Switch = Field(
        default=False,
        description="Whether urls are sent with the version prefix of the path they were posted to, written or not.",
    )


class CollectorSettings(Section):
    """Typed batches, answered with a status for each element, as clients of a data collector send them."""

    path: Prefix = Field(default="/v2/batch", description="Where they are taken.")
    catalog: OptionalCatalog = Field(
        default=None, description="The catalog that has the types; without one they are not taken at all."
    )


class OpenAISettings(Section):
    """Files of requests and batches of them, as OpenAI's clients send them. They need jobs.enabled."""

    enabled: Switch = Field(default=True, description="Whether they are taken, if jobs are.")
    path: Prefix = Field(default="/v1", description="What stands before /files and /batches.")
    completion_windows: tuple[Keeping, ...] = Field(
        default=(86_400.0,), min_length=1, description="The completion windows that a batch may ask for."
    )
    any_filename: Switch = Field(
        default=False, description="Whether a file of requests may be called anything; otherwise its name ends in .jsonl."
    )


class IvvyDialectSettings(Section):
    """Callback jobs, as clients of the iVvy API send them. They need jobs.enabled."""

    path: OptionalPath = Field(
        default=None, description="Where they are taken, such as /api/1.0/batch; without one they are not taken at all."
    )
    signed: Switch = Field(default=False, description="Whether requests must be signed with a client's ivvy key pair.")
    catalog: OptionalCatalog = Field(
        default=None,
        description="A catalog that has kinds called NAMESPACE.ACTION; other jobs are refused. Without one, a job is a POST to"
        " /api/1.0/NAMESPACE?action=ACTION with its params as the body.",
    )


class DialectSettings(Section):
    """Formats of batches beside the native one."""

    graph: GraphSettings = Field(default=GraphSettings(), description="OData JSON batches, the format of Microsoft Graph.")
    collector: CollectorSettings = Field(
        default=CollectorSettings(), description="Typed batches, answered with a status for each element."
    )
    openai: OpenAISettings = Field(default=OpenAISettings(), description="Files of requests, the format of OpenAI's Batch API.")
    ivvy: IvvyDialectSettings = Field(
        default=IvvyDialectSettings(), description="Callback jobs, the format of iVvy's batch API."
    )
