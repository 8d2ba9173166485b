"""Lines as plain as can be: `{"id": ..., "path": ..., "method": ...}`, with records `ID STATUS-or-reason`. No JSON is bad."""

import json
from typing import Any

from gateway.batch.job import Job, LineProblem, Series, StoredFile
from gateway.batch.operation import Operation
from gateway.batch.results import Result
from gateway.errors import Refusal
from gateway.jobs.kind import Checker, Frame, Line, Spelled
from gateway.messages import Failure, Reason

UNCOUNTED = frozenset({Reason.JOB_CANCELLED, Reason.JOB_EXPIRED})


class PlainChecker:
    """A line must be JSON, and there must be one at least."""

    def check(self, position: int, content: bytes) -> list[LineProblem]:
        """Whether it is JSON."""
        try:
            json.loads(content)
        except ValueError:
            return [LineProblem("invalid_json_line", "no JSON", None, position)]
        return []

    def finish(self, lines: int) -> list[LineProblem]:
        """Whether there are any."""
        return [] if lines else [LineProblem("empty_file", "no lines")]


class PlainLines:
    """A LineFormat. With `frame` the results are one JSON array of the records, in the order of the lines."""

    def __init__(self, frame: Frame | None = None) -> None:
        self._frame = frame

    def check_input(self, job: Job, file: StoredFile | None) -> list[LineProblem]:
        """Nothing."""
        return []

    def keep(self, job: Job) -> float | None:
        """As configured."""
        return None

    def checker(self, job: Job) -> Checker | None:
        """As above."""
        return PlainChecker()

    def read(self, job: Job, line: Line) -> Operation:
        """Its method and path."""
        asked = json.loads(line.content)
        if asked.get("refuse"):
            raise Refusal(Reason.NOT_SUPPORTED, "not any more")
        headers = tuple((name, (value,)) for name, value in asked.get("headers", {}).items())
        return Operation("", asked["path"], (asked["path"],), method=asked.get("method", "GET"), headers=headers)

    def spell(self, job: Job, line: Line, result: Result, request_id: str) -> Spelled:
        """The status, or why there is none."""
        if isinstance(result.outcome, Failure):
            return self.spell_unsent(job, line, result.outcome)
        series = Series.RESULTS if result.succeeded or self._frame else Series.ERRORS
        return Spelled(series, self._record(line, str(result.outcome.status)), result.succeeded)

    def spell_unsent(self, job: Job, line: Line, failure: Failure) -> Spelled:
        """Why there is no answer."""
        series = Series.RESULTS if self._frame else Series.ERRORS
        return Spelled(series, self._record(line, failure.reason), None if failure.reason in UNCOUNTED else False)

    def frame(self, job: Job) -> Frame | None:
        """As given."""
        return self._frame

    def _record(self, line: Line, what: str) -> bytes:
        return f"{json.loads(line.content)['id']} {what}\n".encode()


def line(name: object, path: str = "/users/1", **more: Any) -> bytes:
    """A line that is good."""
    return json.dumps({"id": str(name), "path": path, **more}).encode()
