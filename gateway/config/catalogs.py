"""The settings of catalogs. What `gateway.config.settings` says of settings holds for these.

Below `catalogs` a `${…}` is a reference of a template, filled for each element, and never a variable of the environment.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from gateway.batch.catalog import Catalog, Kind, Written, compile_kind
from gateway.batch.compile import Rules
from gateway.batch.routes import METHODS, RouteTable
from gateway.batch.step import fixed_path
from gateway.config.headers import TOKEN
from gateway.config.kinds import Kind as Setting
from gateway.config.kinds import choice, not_text, optional, text
from gateway.config.problems import Path, Wrong
from gateway.config.section import Section

CATALOG_PATTERN = r"[a-z][a-z0-9_-]{0,62}"
OptionalCatalog = Annotated[str | None, optional(text(CATALOG_PATTERN, "the name of a catalog"))]
OptionalUpstream = Annotated[str | None, optional(text(CATALOG_PATTERN, "the name of an upstream"))]
KIND_PATTERN = r"[A-Za-z_][A-Za-z0-9_.-]{0,127}"
KindName = Annotated[str, text(KIND_PATTERN, "letters, digits, _, . and -, at most 128, a letter or _ first")]
KindMethod = Annotated[str, choice(*METHODS)]

Told = tuple[Path, str]
"""One thing wrong with a catalog: where below it, and what, going on from the setting's path."""


def _read_paths(value: object) -> tuple[str, ...]:
    written = value if isinstance(value, list) else [value]
    for path in written:
        if not isinstance(path, str):
            raise not_text(path)
    if not written:
        raise Wrong("must not be empty")
    return tuple([str(path) for path in written])


def _read_header_template(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise not_text(value)
    return value


def _read_schema(value: object) -> object:
    if not isinstance(value, dict | bool):
        raise Wrong("must be a JSON Schema, a mapping")
    return value


_PATH_SCHEMA = {"type": "string", "pattern": "^/"}
Paths = Annotated[
    tuple[str, ...], Setting(_read_paths, {"anyOf": [_PATH_SCHEMA, {"type": "array", "minItems": 1, "items": _PATH_SCHEMA}]})
]
HeaderName = Annotated[str, text(TOKEN, "a header name such as x-tenant")]
HeaderTemplate = Annotated[str | None, Setting(_read_header_template, {"type": ["string", "null"]})]
JsonSchemaDocument = Annotated[Any, Setting(_read_schema, {"$ref": "https://json-schema.org/draft/2020-12/schema"})]
JsonTemplate = Annotated[Any, Setting(lambda value: value, {})]


class KindSettings(Section):
    """One kind of operation: what its elements must be, and what is sent for one."""

    method: KindMethod = Field(default="POST", description="The method of what is sent.")
    path: Paths = Field(
        description="Path and query of what is sent, with ${param:$.element.FIELD} and ${param:$.query.NAME} in it. "
        "Of a list the first is taken whose references have values."
    )
    upstream: OptionalUpstream = Field(default=None, description="Where it is sent, if several upstreams serve the path.")
    headers: Mapping[HeaderName, HeaderTemplate] = Field(default={}, description="Headers of what is sent.")
    body: JsonTemplate = Field(
        default=None, description="JSON that is sent; the element as it came if left out, and nothing if null."
    )
    accepts: JsonSchemaDocument = Field(alias="schema", description="JSON Schema (draft 2020-12) of an element.")

    def as_written(self) -> Written:
        """The same for the batch room."""
        body = None if self.body is None else json.dumps(self.body, ensure_ascii=False).encode()
        passes_element = "body" not in self.model_fields_set
        return Written(self.accepts, self.path, self.method, self.upstream, self.headers, body, passes_element)


class CatalogSettings(Section):
    """Kinds of operation that clients ask for by name."""

    types: Mapping[KindName, KindSettings] = Field(min_length=1, description="The kinds, by the name that elements give.")

    def make_catalog(self, rules: Rules) -> Catalog:
        """The compiled catalog; `rules` must read parameters. Every kind in it has been found right by `find_wrong`."""
        compiled = {name: compile_kind(name, kind.as_written(), rules)[0] for name, kind in self.types.items()}
        return Catalog({name: kind for name, kind in compiled.items() if kind is not None})

    def find_wrong(self, rules: Rules, routes: RouteTable) -> Iterator[Told]:
        """Everything wrong with the kinds by themselves, and with where they lead."""
        for name, settings in self.types.items():
            kind, problems = compile_kind(name, settings.as_written(), rules)
            for problem in problems:
                yield ("types", name, *_path_of(problem.pointer, settings.path)), f"cannot be used: {problem.detail}"
            if kind is not None:
                for message in _find_astray(kind, routes):
                    yield ("types", name, "path"), message


def _path_of(pointer: str, paths: tuple[str, ...]) -> Path:
    """Where a problem stands below its kind. A path that is written alone has no index."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    if parts[:1] == ["path"]:
        return ("path", int(parts[1])) if len(paths) > 1 else ("path",)
    return tuple([int(part) if part.isdecimal() else part for part in parts])


def _find_astray(kind: Kind, routes: RouteTable) -> Iterator[str]:
    for _, target in kind.targets:
        found = routes.look_up(fixed_path(target), kind.upstream)
        if not found:
            yield "leads to no upstream"
        elif len(found) > 1:
            yield f"leads to several upstreams; say which with upstream: {', '.join(sorted(one.upstream for one in found))}"
        elif kind.method not in found[0].methods:
            yield f"leads to {found[0].prefix}, where {kind.method} is not allowed"
        elif "cookie" not in found[0].policy.forward and any(name == "cookie" for name, _ in kind.headers):
            yield f"leads to {found[0].upstream}, which forwards no cookies, and the kind sets one"
