"""Which places a configuration asks for."""

from gateway.config.settings import Settings
from gateway.dialects.registry import DIALECTS
from gateway.execution.engine import Engine
from gateway.places.batches import Batches
from gateway.places.place import Place, Places


def make_places(settings: Settings, engine: Engine) -> Places:
    """What is served at each path, by method."""
    places: dict[str, dict[str, Place]] = {}
    if not settings.server.only_stored:
        places |= {path: {"POST": Batches(dialect, engine)} for path, dialect in DIALECTS.items()}
    return places
