"""Cutting lines into chunks: so many lines, or so many bytes, whichever comes first."""

from collections.abc import Sequence

from gateway.batch.job import Chunk, Job
from gateway.config.jobs import JobSettings

CHUNK_BYTES = 1 << 20
"""A chunk is read as a whole: it is cut before it is larger, unless it is a single line."""


class Cutter:
    """Cuts the lines of one job, told one after the other, into chunks by byte range."""

    def __init__(self, job_id: str, lines: int) -> None:
        self.chunks: list[Chunk] = []
        self.count = 0
        self._job = job_id
        self._most = lines
        self._first = 0
        self._start = 0
        self._end = 0

    def add(self, start: int, size: int) -> None:
        """The next line: where it begins, and its bytes."""
        begun = self.count - self._first
        if begun == self._most or (begun and start + size - self._start > CHUNK_BYTES):
            self._cut()
        if self.count == self._first:
            self._start = start
        self._end = start + size
        self.count += 1

    def finish(self) -> Sequence[Chunk]:
        """All chunks."""
        if self.count > self._first:
            self._cut()
        return self.chunks

    def _cut(self) -> None:
        number, lines = len(self.chunks), self.count - self._first
        self.chunks.append(Chunk(self._job, number, self._first, lines, self._start, self._end - self._start))
        self._first = self.count


def window(job: Job, settings: JobSettings) -> int:
    """How many chunks of a job are queued at one time: enough to keep its share of requests in flight,
    and two that are being begun or closed meanwhile.

    The next one goes to the end of the queue when one is closed: so jobs take turns, and a long one delays nobody.
    """
    chunk_lines = max(1, job.lines // max(1, job.chunks))
    return min(settings.chunks, 2 + -(-settings.concurrency_per_job // chunk_lines))
