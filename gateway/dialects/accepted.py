"""Which of the media types on offer a client wants (RFC 9110 section 12.5.1)."""

from functools import lru_cache
from itertools import count

from gateway.jsontext import Record


class _Range(Record, frozen=True):
    """One media range of an Accept: `exact` 2 for a type, 1 for `type/*`, 0 for `*/*`."""

    name: str
    exact: int
    quality: float
    place: int


@lru_cache(maxsize=256)
def choose(accept: str, offered: tuple[str, ...]) -> str:
    """The media type of `offered`, the default first, that suits best; the default where none does.

    Higher quality wins, then being named in full over falling under a wildcard, then being named first.
    """
    ranges = [_read(text, place) for place, text in zip(count(), accept.lower().split(","), strict=False)]
    best, best_rank = offered[0], (0.0, 0, 0)
    for name in offered:
        found = max([one for one in ranges if _covers(one, name)], key=lambda one: one.exact, default=None)
        if found is not None and found.quality > 0:
            rank = (found.quality, found.exact, -found.place)
            if best_rank[0] == 0 or rank > best_rank:
                best, best_rank = name, rank
    return best


def _read(text: str, place: int) -> _Range:
    name, *parameters = [part.strip() for part in text.split(";")]
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            quality = _read_quality(value.strip())
    return _Range(name, 0 if name == "*/*" else 1 if name.endswith("/*") else 2, quality, place)


def _read_quality(text: str) -> float:
    """From 0 to 1; what is neither counts as 0, so that it asks for nothing."""
    try:
        quality = float(text)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0


def _covers(one: _Range, name: str) -> bool:
    return one.exact == 0 or one.name == name or (one.exact == 1 and name.startswith(one.name[:-1]))
