"""The JSON Schema of the configuration, for editors: the settings' own, without noise and always the same text."""

import json
from typing import Any

from gateway.config.catalogs import CATALOG_PATTERN, KIND_PATTERN
from gateway.config.headers import TOKEN
from gateway.config.settings import NAME_PATTERN, Settings
from gateway.config.units import DURATION_PATTERN, SIZE_PATTERN, format_duration, format_size

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "Batch gateway configuration"


def make_schema() -> str:
    """The schema as JSON text, two blanks to a level, keys in the order of the settings, ending with a line end."""
    schema = _tidy(Settings.model_json_schema())
    _add_what_pydantic_leaves_out(schema)
    whole = {"$schema": DIALECT, "title": TITLE, **schema, "required": ["upstreams"]}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _add_what_pydantic_leaves_out(schema: dict[str, Any]) -> None:
    """The names that may be keys, the short spelling of a route, and that there is an upstream."""
    sections = schema["$defs"]
    upstreams, routes = schema["properties"]["upstreams"], sections["UpstreamSettings"]["properties"]["routes"]
    upstreams |= {"minProperties": 1, "propertyNames": {"pattern": f"^{NAME_PATTERN}$"}}
    routes["items"] = {"anyOf": [sections["RouteSettings"]["properties"]["path"], routes["items"]]}
    sections["HeaderSettings"]["properties"]["set"]["propertyNames"] = {"pattern": f"^{TOKEN}$"}
    schema["properties"]["views"]["propertyNames"] = {"pattern": f"^{NAME_PATTERN}$"}
    schema["properties"]["catalogs"]["propertyNames"] = {"pattern": f"^{CATALOG_PATTERN}$"}
    schema["properties"]["clients"]["propertyNames"] = {"pattern": f"^{NAME_PATTERN}$"}
    sections["CatalogSettings"]["properties"]["types"]["propertyNames"] = {"pattern": f"^{KIND_PATTERN}$"}
    sections["KindSettings"]["properties"]["headers"]["propertyNames"] = {"pattern": f"^{TOKEN}$"}


def _tidy(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the titles that only repeat names, and with defaults as a file would have them: `10s`, not `10.0`."""
    tidied: dict[str, Any] = {}
    for key, value in schema.items():
        match key, value:
            case "title", str():
                continue
            case (("properties" | "$defs"), dict()):
                tidied[key] = {name: _tidy(inner) for name, inner in value.items()}
            case "default", int() | float():
                tidied[key] = _spell(schema, value)
            case "default", dict():
                continue  # of a section: its settings have the defaults
            case _, dict():
                tidied[key] = _tidy(value)
            case _, list():
                tidied[key] = [_tidy(item) if isinstance(item, dict) else item for item in value]
            case _:
                tidied[key] = value
    return tidied


def _spell(schema: dict[str, Any], default: float) -> Any:
    patterns = {alternative.get("pattern") for alternative in schema.get("anyOf", [])}
    if f"^{DURATION_PATTERN}$" in patterns:
        return format_duration(default)
    return format_size(int(default)) if f"^{SIZE_PATTERN}$" in patterns else default
