"""Where a client learns what it may ask for: limits, dialects, routes, stored batches."""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from gateway.batch.compile import Rules
from gateway.batch.limits import Limits
from gateway.batch.routes import METHODS, Route
from gateway.dialects.dialect import Asked, Encoded
from gateway.dialects.native_lines import EVENTS, NDJSON
from gateway.dialects.problem import encode_refusal
from gateway.errors import Refusal
from gateway.jsontext import dump
from gateway.messages import Context
from gateway.pipeline import Answer
from gateway.places.deferred import DeferredBatches
from gateway.places.place import Places, Takes
from gateway.places.plans import Plans
from gateway.places.streaming import StreamedBatches


@dataclass(frozen=True, slots=True)
class About:
    """Answers the same to everybody: `body` is JSON."""

    takes: ClassVar[Takes] = Takes.JSON
    body: bytes
    dialect: str = "about"

    async def serve(self, asked: Asked, context: Context) -> Answer:  # noqa: ARG002  # it is what a Place takes
        """What is known of this gateway."""
        return Answer(200, (("content-type", "application/json"),), self.body)

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """As problem details."""
        return encode_refusal(refusal, request_id)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is told of a stored batch; `parameters` is their JSON Schema."""

    path: str
    methods: tuple[str, ...]
    description: str
    parameters: dict[str, Any]


def describe_gateway(
    places: Places, routes: tuple[Route, ...], views: Iterable[Stored], rules: Rules, only_stored: bool
) -> bytes:
    """`{"limits", "dialects", "routes"?, "views"?, "capabilities"}` as JSON, of what is served at `places` beside `views`.

    Limits have the names they have in the configuration, in camel case; times are milliseconds, sizes bytes. A route has the
    name of its upstream and never its address. `only_stored`: clients can name no routes, so none are told.
    """
    described: dict[str, Any] = {"limits": describe_limits(rules.limits), "dialects": list(_describe_dialects(places))}
    if not only_stored:
        described["routes"] = [_describe_route(route) for route in routes]
    listed = [dataclasses.asdict(view) for view in views]
    if listed or only_stored:
        described["views"] = listed
    described["capabilities"] = _describe_capabilities(places, routes, rules)
    return dump(described)


def describe_limits(limits: Limits) -> dict[str, int]:
    """Every limit of a batch: times in milliseconds, sizes in bytes, the rest counts."""
    return {_camel(field.name): _whole(getattr(limits, field.name)) for field in dataclasses.fields(limits)}


def _describe_dialects(places: Places) -> Iterator[dict[str, Any]]:
    paths: dict[str, list[str]] = {}
    for path, methods in places.items():
        place = methods.get("POST")
        if place is not None and not isinstance(place, Plans):
            paths.setdefault(place.dialect, []).append(path)
    for name, served in paths.items():
        yield {"name": name, "paths": served}


def _describe_capabilities(places: Places, routes: tuple[Route, ...], rules: Rules) -> dict[str, Any]:
    posted = [methods.get("POST") for methods in places.values()]
    streams = any(isinstance(place, StreamedBatches | DeferredBatches) for place in posted)
    return {
        "respondAsync": any(isinstance(place, DeferredBatches) for place in posted),
        "plan": any(isinstance(place, Plans) for place in posted),
        "streaming": [NDJSON.content_type, EVENTS.content_type] if streams else [],
        "coalescing": any(route.coalesce for route in routes),
        "forEach": True,
        "nested": True,
        "references": {"descendants": rules.descendants, "filters": rules.filters},
    }


def _describe_route(route: Route) -> dict[str, Any]:
    methods = [method for method in METHODS if method in route.methods]
    described: dict[str, Any] = {"path": route.prefix, "methods": methods, "upstream": route.upstream}
    if route.file_batches:
        described["fileBatches"] = True
    return described | {"maxPerBatch": route.max_per_batch} if route.max_per_batch else described


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _whole(limit: float) -> int:
    return limit if isinstance(limit, int) else round(limit * 1000)
