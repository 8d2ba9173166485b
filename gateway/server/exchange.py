"""One request to the public edge and what came of it, as a value, for the metrics and the log."""

from collections.abc import Callable

from gateway.batch.results import Finished
from gateway.jsontext import Record
from gateway.messages import Context, Reason


class Exchange(Record, frozen=True):
    """A request that is over. Sizes in bytes, `duration` in seconds from its head to its last byte.

    `route` and `dialect` are None if it went to no path served here, `finished` if no batch was run. `reason` and `detail` say
    why the gateway refused it; `bug` is what crashed, if something did.
    """

    method: str
    status: int
    duration: float
    context: Context
    route: str | None = None
    dialect: str | None = None
    reason: Reason | None = None
    detail: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    finished: Finished | None = None
    bug: Exception | None = None


Report = Callable[[Exchange], None]
"""Takes every request that is over. Must not wait."""
