"""Where an answer says that what was created is to be found (RFC 9110 section 10.2.2)."""

from urllib.parse import unquote, urljoin, urlsplit

from gateway.batch.content import header
from gateway.batch.results import Result
from gateway.messages import Response


class Elsewhere(ValueError):
    """The Location is not one segment below what was asked for, so no path of ours leads there."""


def read_created(result: Result) -> str | None:
    """The last segment of the answer's Location, decoded; None if it has none.

    It may have been written with another host and more path before it: the upstream need not know how it is reached.
    """
    outcome = result.outcome
    location = header(outcome.headers, "location") if isinstance(outcome, Response) else None
    if location is None:
        return None
    target = result.target or "/"
    above, _, segment = _path_of(target, location).rstrip("/").rpartition("/")
    if not segment or not above.endswith(target.partition("?")[0].rstrip("/")):
        raise Elsewhere
    return unquote(segment)


def _path_of(target: str, location: str) -> str:
    try:
        return urlsplit(urljoin(f"http://upstream{target}", location)).path
    except ValueError:
        raise Elsewhere from None
