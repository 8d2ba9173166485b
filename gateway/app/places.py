"""Which places a configuration asks for."""

import time
from collections.abc import Callable, Mapping

from gateway.config.settings import Settings
from gateway.config.views import make_views
from gateway.dialects.collector import Collector
from gateway.dialects.registry import DIALECTS
from gateway.dialects.view import View
from gateway.execution.engine import Engine
from gateway.places.about import About, Stored, describe_gateway
from gateway.places.batches import Batches
from gateway.places.graph import GraphBatches
from gateway.places.place import Place, Places
from gateway.places.plans import Plans
from gateway.places.streaming import StreamedBatches
from gateway.places.views import methods_of, open_views, path_of, refuse_others

AddPlaces = Callable[[Places], dict[str, dict[str, Place]]]
"""Places to these and more."""


def make_places(settings: Settings, engine: Engine, add_jobs: AddPlaces | None = None) -> Places:
    """What is served at each path, by method. `add_jobs` adds the places of batches that run later."""
    places: dict[str, dict[str, Place]] = {}
    if not settings.server.only_stored:
        places |= {path: {"POST": Batches(dialect, engine)} for path, dialect in DIALECTS.items()}
        places["/batch"]["POST"] = StreamedBatches(Batches(DIALECTS["/batch"], engine), settings.server.heartbeat)
        graph = settings.dialects.graph
        for path in graph.paths if graph.enabled else ():
            places[path] = {"POST": GraphBatches(path, graph.keep_version, engine, time.time)}
        places["/batch/plan"] = {"POST": Plans(DIALECTS["/batch"], engine)}
    collector = settings.dialects.collector
    if collector.catalog is not None:
        catalog = settings.catalogs[collector.catalog].make_catalog(settings.make_template_rules())
        places[collector.path] = {"POST": Batches(Collector(catalog), engine)}
    views = make_views(settings.views, engine.rules, engine.routes)
    if add_jobs is not None:
        places = add_jobs(places)
    about = About(_describe(places, views, settings, engine))
    places |= open_views(views, engine)
    if settings.server.only_stored:
        places |= refuse_others((*DIALECTS, *settings.dialects.graph.paths), tuple(places))
    places["/batch"] |= {"GET": about, "HEAD": about}
    return places


def _describe(places: Places, views: Mapping[str, View], settings: Settings, engine: Engine) -> bytes:
    stored = [
        Stored(path_of(name), methods_of(view), settings.views[name].description, settings.views[name].parameters)
        for name, view in views.items()
    ]
    return describe_gateway(places, engine.routes.routes, stored, engine.rules, settings.server.only_stored)
