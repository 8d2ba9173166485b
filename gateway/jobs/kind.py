"""What a dialect tells the engine of its jobs: pure, the bytes of lines to operations and results back to bytes."""

from typing import NamedTuple, Protocol

from gateway.batch.job import Job, LineProblem, Series, StoredFile
from gateway.batch.operation import Operation
from gateway.batch.results import Result
from gateway.messages import Failure


class Line(NamedTuple):
    """A line of a job. `number` counts from 0, blank ones left out; `content` has no line end."""

    number: int
    content: bytes


class Spelled(NamedTuple):
    """The record of a line: its bytes, line end included, and where they go. `counted`: as a success, a failure, or not."""

    series: Series
    content: bytes
    counted: bool | None


class Checker(Protocol):
    """Checks the lines of one job as they are read, in slices."""

    def check(self, position: int, content: bytes) -> list[LineProblem]:
        """Everything wrong with a line that is not blank; `position` counts all lines from 1."""

    def finish(self, lines: int) -> list[LineProblem]:
        """What is wrong with the whole, once `lines` have been read that are not blank."""


class Frame(NamedTuple):
    """One document of all results in the order of the lines: between `head` and `tail`, joined by `separator`."""

    head: bytes
    separator: bytes
    tail: bytes


class LineFormat(Protocol):
    """How the lines of one kind of job are read, and their results spelled."""

    def check_input(self, job: Job, file: StoredFile | None) -> list[LineProblem]:
        """What is wrong with the input file as such, before it is read; `file` is None if its client has none with that id.

        Asked of jobs that have an `input_file`; any problem fails the job.
        """

    def keep(self, job: Job) -> float | None:
        """How many seconds its result files are kept, from when they are made; None is as long as the configuration says."""

    def checker(self, job: Job) -> Checker | None:
        """What checks the lines before any is sent; None where they were checked when the job was taken."""

    def read(self, job: Job, line: Line) -> Operation:
        """What to send. A Refusal if the configuration has changed so that it cannot be sent any more."""

    def spell(self, job: Job, line: Line, result: Result, request_id: str) -> Spelled:
        """The record of a line that was sent."""

    def spell_unsent(self, job: Job, line: Line, failure: Failure) -> Spelled:
        """The record of a line that has no answer: cancelled, expired, interrupted, abandoned, or refused."""

    def frame(self, job: Job) -> Frame | None:
        """For results that are one document. None: results and errors are two files of the records as they stand."""
