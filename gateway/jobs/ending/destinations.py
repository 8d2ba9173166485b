"""How hard a receiver of callbacks may be pressed: so many attempts at a time, and a rest when it says that it is too much."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.config.addresses import DEFAULT_PORTS

TOO_MUCH = frozenset({429, 502, 503, 504})
"""Answers of a receiver that needs a rest."""

FIRST_REST = 5.0
LONGEST_REST = 300.0
"""Seconds. The rest doubles with each such answer until another one comes."""

TURN = 0.5
GAP = 0.05
"""Seconds until somebody may come again who found no room, and between two of them: they do not all come at once."""

_REMEMBERED = 1000
"""Receivers about whom something is known. More are forgotten as soon as nothing holds of them any more."""

Destination = tuple[str, int]
"""Host and port."""


def read_destination(url: str) -> Destination:
    """Where a callback URL leads."""
    parts = urlsplit(url)
    try:
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:  # no port at all; who posts there will say so
        port = 0
    return parts.hostname or "", port


@dataclass(slots=True)
class _Load:
    busy: int = 0
    rest: float = 0.0
    rested: float = 0.0
    turn: float = 0.0


class Destinations:
    """Who is being called now, at most `most` times at once, and who rests."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._loads: dict[Destination, _Load] = {}

    def __len__(self) -> int:
        """Receivers of whom something is known."""
        return len(self._loads)

    def enter(self, destination: Destination, now: float) -> float:
        """0 if there is room, which is then taken; else the seconds after which to come again."""
        load = self._loads.setdefault(destination, _Load())
        # A wall clock that was set back must not make a rest longer than it was meant to be.
        tired = min(load.rested - now, load.rest)
        if tired <= 0.0 and load.busy < self._most:
            load.busy += 1
            return 0.0
        load.turn = max(min(load.turn, now + LONGEST_REST) + GAP, now + max(tired, TURN))
        return load.turn - now

    def leave(self, destination: Destination, now: float, status: int | None) -> None:
        """Give the room back. `status` is what was answered, None if nothing was."""
        load = self._loads[destination]
        load.busy -= 1
        if status in TOO_MUCH:
            load.rest = min(2 * load.rest, LONGEST_REST) or FIRST_REST
            load.rested = now + load.rest
        elif status is not None:
            load.rest = load.rested = 0.0
        if len(self._loads) > _REMEMBERED:
            self._loads = {key: one for key, one in self._loads.items() if one.busy or one.rested > now or one.turn > now}
