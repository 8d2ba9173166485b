"""The settings of dialects beside the native one. What `gateway.config.settings` says of settings holds for these."""

from pydantic import Field

from gateway.config.catalogs import OptionalCatalog
from gateway.config.kinds import Switch
from gateway.config.section import Section
from gateway.config.upstreams import Prefix


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


class DialectSettings(Section):
    """Formats of batches beside the native one."""

    graph: GraphSettings = Field(default=GraphSettings(), description="OData JSON batches, the format of Microsoft Graph.")
    collector: CollectorSettings = Field(
        default=CollectorSettings(), description="Typed batches, answered with a status for each element."
    )
