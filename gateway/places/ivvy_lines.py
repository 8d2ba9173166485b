"""How jobs of the ivvy dialect are run by the engine: a line is the JSON of one, and the results are one document."""

from gateway.batch.catalog import Catalog
from gateway.batch.job import Job, LineProblem, Series, StoredFile
from gateway.batch.operation import Operation
from gateway.batch.results import Result
from gateway.dialects.ivvy_jobs import read_line
from gateway.dialects.ivvy_results import TAIL, head_of, spell_failure, spell_result
from gateway.jobs.kind import Checker, Frame, Line, Spelled
from gateway.messages import Failure, Reason

_UNCOUNTED = frozenset({Reason.JOB_CANCELLED, Reason.JOB_EXPIRED})


class IvvyLines:
    """The LineFormat. `catalog` has the calls that can be made; without one they are sent to /api/1.0/NAMESPACE."""

    def __init__(self, catalog: Catalog | None) -> None:
        self._catalog = catalog

    def check_input(self, job: Job, file: StoredFile | None) -> list[LineProblem]:  # noqa: ARG002  # a LineFormat's
        """Nothing: no file is named by who asks."""
        return []

    def keep(self, job: Job) -> float | None:  # noqa: ARG002  # a LineFormat's
        """As the configuration says."""
        return None

    def checker(self, job: Job) -> Checker | None:  # noqa: ARG002  # a LineFormat's
        """None: jobs are checked when they are taken."""
        return None

    def read(self, job: Job, line: Line) -> Operation:  # noqa: ARG002  # a LineFormat's
        """The call to make. A Refusal if the catalog has it no longer."""
        return read_line(line.content).make_operation(self._catalog, f"/jobs/{line.number}")

    def spell(self, job: Job, line: Line, result: Result, request_id: str) -> Spelled:  # noqa: ARG002  # a LineFormat's
        """The entry of a call that was made."""
        return Spelled(Series.RESULTS, spell_result(read_line(line.content), result), result.succeeded)

    def spell_unsent(self, job: Job, line: Line, failure: Failure) -> Spelled:  # noqa: ARG002  # a LineFormat's
        """The entry of a call that has no answer: an error stands in its place."""
        counted = None if failure.reason in _UNCOUNTED else False
        return Spelled(Series.RESULTS, spell_failure(read_line(line.content), failure), counted)

    def frame(self, job: Job) -> Frame:
        """The document of `results`, which is the body of the callback too."""
        return Frame(head_of(job.id), b",", TAIL)
