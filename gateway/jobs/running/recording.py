"""What became of the lines of a chunk, spelled and on its way to the store."""

from gateway.batch.job import Job
from gateway.batch.results import Result
from gateway.jobs.kind import Line, LineFormat, Spelled
from gateway.jobs.running.flushing import Flusher
from gateway.messages import Failure


class Recorder:
    """Hands records to a flusher, spelled as the job's clients expect them."""

    def __init__(self, job: Job, lines: LineFormat, flusher: Flusher) -> None:
        self._job = job
        self._lines = lines
        self._flusher = flusher

    def record(self, line: Line, result: Result, request_id: str) -> None:
        """A line was sent, and this came of it."""
        self._add(line, self._lines.spell(self._job, line, result, request_id))

    def record_unsent(self, line: Line, failure: Failure) -> None:
        """A line was not sent, or it is not known what came of it."""
        self._add(line, self._lines.spell_unsent(self._job, line, failure))

    def _add(self, line: Line, spelled: Spelled) -> None:
        self._flusher.add(spelled.series, line.number, spelled.content, spelled.counted)
