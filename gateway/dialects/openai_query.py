"""The queries with which OpenAI's clients list files and batches."""

from typing import NamedTuple
from urllib.parse import parse_qs

from gateway.batch.headers import shorten
from gateway.dialects.openai_errors import BadParameter

MOST_BATCHES = 100
MOST_FILES = 10_000
_BATCHES = 20


class Listing(NamedTuple):
    """Which of many: at most `limit` of them, those that follow the one with the id `after`; files of one `purpose`."""

    limit: int
    after: str | None
    newest_first: bool = True
    purpose: str | None = None


def read_batch_listing(query: str) -> Listing:
    """What `GET /batches` asks for. Raises a Refusal, 400."""
    given = _parse(query)
    return Listing(_limit(given, _BATCHES, MOST_BATCHES), given.get("after"))


def read_file_listing(query: str) -> Listing:
    """What `GET /files` asks for. Raises a Refusal, 400."""
    given = _parse(query)
    order = given.get("order", "desc")
    if order not in ("asc", "desc"):
        detail = f"Invalid value: {shorten(order)}. Supported values are: 'asc', 'desc'."
        raise BadParameter(detail, "order", "invalid_value")
    return Listing(_limit(given, MOST_FILES, MOST_FILES), given.get("after"), order == "desc", given.get("purpose"))


def _parse(query: str) -> dict[str, str]:
    """The parameters that have a value; of one that is repeated the last."""
    try:
        return {name: values[-1] for name, values in parse_qs(query, errors="strict").items()}
    except ValueError:
        raise BadParameter("The query is not UTF-8, percent-encoded.", None, None) from None


def _limit(given: dict[str, str], default: int, most: int) -> int:
    text = given.get("limit")
    if text is None:
        return default
    if not (text.isascii() and text.removeprefix("-").isdigit()) or len(text) > 12:
        detail = f"Invalid type for 'limit': expected an integer, but got {shorten(text)} instead."
        raise BadParameter(detail, "limit", "invalid_type")
    limit = int(text)
    if limit < 1:
        detail = f"Invalid 'limit': integer below minimum value. Expected a value >= 1, but got {limit} instead."
        raise BadParameter(detail, "limit", "integer_below_min_value")
    if limit > most:
        detail = f"Invalid 'limit': integer above maximum value. Expected a value <= {most}, but got {limit} instead."
        raise BadParameter(detail, "limit", "integer_above_max_value")
    return limit
