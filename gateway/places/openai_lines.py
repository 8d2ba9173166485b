"""What the engine of jobs is told of files of requests."""

from functools import lru_cache

from gateway.batch.compile import Rules
from gateway.batch.job import Job, LineProblem, Series, StoredFile
from gateway.batch.operation import BytesBody, Operation
from gateway.batch.results import Result
from gateway.batch.routes import RouteTable
from gateway.dialects.openai_check import LineChecker, check_input, read_line
from gateway.dialects.openai_create import METHOD, check_endpoint
from gateway.dialects.openai_objects import load_spec
from gateway.dialects.openai_records import name_request, spell_failure, spell_response
from gateway.jobs.kind import Checker, Frame, Line, Spelled
from gateway.messages import Failure, Reason, Response

_NEVER_RAN = frozenset({Reason.JOB_CANCELLED, Reason.JOB_EXPIRED})


class OpenAILines:
    """The lines of OpenAI's batches: a LineFormat. `most` of them are allowed in a file."""

    def __init__(self, routes: RouteTable, rules: Rules, most: int) -> None:
        self._routes = routes
        self._rules = rules
        self._most = most
        self._find_endpoint = lru_cache(maxsize=256)(self._read_endpoint)  # the same for every line of a batch

    def check_input(self, job: Job, file: StoredFile | None) -> list[LineProblem]:
        """A file that is not there, or was uploaded for something else."""
        return check_input(job.input_file or "", file)

    def keep(self, job: Job) -> float | None:
        """As its client asked."""
        return load_spec(job.spec).keep

    def checker(self, job: Job) -> Checker | None:
        """Checks every line before any is sent."""
        return LineChecker(load_spec(job.spec).endpoint, self._most, self._rules.limits.depth)

    def read(self, job: Job, line: Line) -> Operation:
        """The request of a line, its body byte for byte. A Refusal if its endpoint is served no more."""
        endpoint = self._find_endpoint(job.spec)
        custom_id, body = read_line(line.content)
        return Operation(
            f"/{line.number}",
            endpoint,
            (endpoint,),
            name=custom_id,
            method=METHOD,
            body=BytesBody(body),
            content_type="application/json",
        )

    def _read_endpoint(self, spec: bytes) -> str:
        endpoint = load_spec(spec).endpoint
        check_endpoint(endpoint, self._routes, self._rules)
        return endpoint

    def spell(self, job: Job, line: Line, result: Result, request_id: str) -> Spelled:
        """2xx is a result; what has another status is an error that has a response, what has none an error that has not."""
        outcome = result.outcome
        if not isinstance(outcome, Response):
            return self.spell_unsent(job, line, outcome)
        name, custom_id = name_request(job.id, line.number), result.operation.name or ""
        record = spell_response(name, custom_id, outcome, result.content, request_id)
        succeeded = 200 <= outcome.status < 300
        return Spelled(Series.RESULTS if succeeded else Series.ERRORS, record, succeeded)

    def spell_unsent(self, job: Job, line: Line, failure: Failure) -> Spelled:
        """An error. What never ran because the batch ended does not count as failed."""
        name, custom_id = name_request(job.id, line.number), read_line(line.content).custom_id
        counted = None if failure.reason in _NEVER_RAN else False
        return Spelled(Series.ERRORS, spell_failure(name, custom_id, failure), counted)

    def frame(self, job: Job) -> Frame | None:  # noqa: ARG002  # it is what a LineFormat takes
        """None: results and errors are two files."""
        return None
