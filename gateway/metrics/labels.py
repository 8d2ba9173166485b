"""The closed sets that labels come from, and the bounds of buckets."""

from http import HTTPStatus

from gateway.batch.routes import METHODS
from gateway.errors import status_of
from gateway.messages import Reason

UNKNOWN = "_unknown"
"""A route or an upstream that is none of the configuration's."""

OTHER = "_OTHER"
"""A method or a status that is not in the sets below."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
DEPTHS = (1, 2, 3, 4, 5, 7, 10, 15, 20)
METHOD_LABELS = frozenset(METHODS) | {"CONNECT", "TRACE"}

_CODES = {int(status): str(int(status)) for status in HTTPStatus} | {
    status_of(reason): str(status_of(reason)) for reason in Reason
}


def label_code(status: int) -> str:
    """The label of an HTTP status."""
    return _CODES.get(status, OTHER)
