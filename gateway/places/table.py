"""Which place a request is for."""

from typing import NamedTuple

from gateway.places.place import Place, Places


class Found(NamedTuple):
    """What is served at a path: its route, which is the path with its holes; the places by method; what fills the holes."""

    route: str
    methods: dict[str, Place]
    captured: tuple[str, ...] = ()


class PlaceTable:
    """All places of a gateway."""

    def __init__(self, places: Places) -> None:
        self.routes = tuple(places)
        self._exact = {path: Found(path, dict(methods)) for path, methods in places.items() if "{" not in path}
        self._patterns = tuple(
            [(tuple(path.split("/")), Found(path, dict(methods))) for path, methods in places.items() if "{" in path]
        )

    def find(self, path: str) -> Found | None:
        """What is served at `path`, as sent. A path without holes goes before one with holes."""
        found = self._exact.get(path)
        if found is not None or not self._patterns:
            return found
        segments = path.split("/")
        for pattern, served in self._patterns:
            captured = _match(pattern, segments)
            if captured is not None:
                return Found(served.route, served.methods, captured)
        return None


def _match(pattern: tuple[str, ...], segments: list[str]) -> tuple[str, ...] | None:
    """What stands in the holes, none of which may be empty."""
    if len(pattern) != len(segments):
        return None
    captured: list[str] = []
    for wanted, segment in zip(pattern, segments, strict=True):
        if wanted.startswith("{"):
            if not segment:
                return None
            captured.append(segment)
        elif wanted != segment:
            return None
    return tuple(captured)
