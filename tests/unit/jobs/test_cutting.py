import pytest

from gateway.batch.job import Chunk, Job, JobKind, State
from gateway.config.jobs import JobSettings
from gateway.jobs.cutting import CHUNK_BYTES, Cutter, window


def cut(sizes: list[int], lines: int) -> list[tuple[int, int, int, int]]:
    """(first line, lines, start, size) of the chunks of lines with these sizes."""
    cutter = Cutter("job", lines)
    start = 0
    for size in sizes:
        cutter.add(start, size)
        start += size
    return [(chunk.first_line, chunk.lines, chunk.start, chunk.size) for chunk in cutter.finish()]


def test_so_many_lines_make_a_chunk() -> None:
    assert cut([10] * 5, 2) == [(0, 2, 0, 20), (2, 2, 20, 20), (4, 1, 40, 10)]
    assert cut([], 2) == []


def test_a_chunk_is_cut_before_it_is_too_large_unless_it_is_one_line() -> None:
    half = CHUNK_BYTES // 2
    assert cut([half, half, 1, 3 * half, 1], 100) == [
        (0, 2, 0, 2 * half),
        (2, 1, 2 * half, 1),
        (3, 1, 2 * half + 1, 3 * half),
        (4, 1, 5 * half + 1, 1),
    ]


def test_chunks_are_numbered() -> None:
    cutter = Cutter("job", 1)
    cutter.add(0, 3)
    cutter.add(5, 2)
    assert cutter.finish() == [Chunk("job", 0, 0, 1, 0, 3), Chunk("job", 1, 1, 1, 5, 2)]


@pytest.mark.parametrize(("lines", "chunks", "queued"), [(50_000, 200, 3), (200, 10, 6), (10, 10, 8), (0, 0, 8)])
def test_as_many_chunks_are_queued_as_keep_the_share_of_a_job_in_flight(lines: int, chunks: int, queued: int) -> None:
    job = Job("j", "t", JobKind.OPENAI, State.IN_PROGRESS, 0.0, 1.0, b"", lines=lines, chunks=chunks)
    assert window(job, JobSettings()) == queued
