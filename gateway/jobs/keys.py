"""Where the file store has what belongs to jobs and files."""

from gateway.batch.job import Chunk, Series

JOBS = "jobs"
FILES = "files"


def folder_of(job_id: str) -> str:
    """The folder of everything that goes when the job goes."""
    return f"{JOBS}/{job_id}"


def input_of(job_id: str) -> str:
    """The lines of a job that came with it."""
    return f"{JOBS}/{job_id}/input"


def results_of(job_id: str) -> str:
    """The results that are one document."""
    return f"{JOBS}/{job_id}/results"


def file_of(file_id: str) -> str:
    """A file of a client."""
    return f"{FILES}/{file_id}"


def part_of(chunk: Chunk, flush: int, series: Series) -> str:
    """A part. The token makes it nobody else's: an object without a record is garbage, and never wrong."""
    return f"{JOBS}/{chunk.job}/parts/{chunk.number:06d}-{chunk.token}-{flush:06d}-{series.value}"
