"""The data folder under a second process, kill -9, torn writes and a full disk (HAZARDS.md H5, H7, F3)."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.batch.job import Job, JobKind, State
from gateway.jobs.ports import Page, StorageError
from gateway.storage.opening import open_storage
from gateway.storage.sql_records import SqlRecords
from gateway.storage.sqlite import make_engine

PROGRAM = [sys.executable, str(Path(__file__).resolve().parents[1] / "support" / "storage_program.py")]
PATIENCE = 30


@contextmanager
def start(verb: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process with the folder; it is killed, as by kill -9, when the block ends."""
    process = subprocess.Popen([*PROGRAM, verb, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            yield process
        finally:
            process.kill()


def write_until(folder: Path, least: int) -> list[int]:
    """What a process said was kept before it was killed, soon after the number `least`."""
    said: list[int] = []
    with start("write", folder) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(int(line))
            if said[-1] == least:
                process.kill()
    return said


async def read_jobs(folder: Path) -> list[int]:
    """The numbers of the jobs there are, each whole, with its object and its chunk."""
    storage = await open_storage(str(folder), os.urandom)
    try:
        async with storage.records.begin() as tx:
            jobs = await tx.list_jobs(Page(10_000, newest_first=False))
            assert await tx.open_chunks(1.0) == [(job.id, 0) for job in jobs]
        for job in jobs:
            assert job.id == f"{job.lines:032x}"
            assert await storage.files.read(f"parts/{job.lines}") == str(job.lines).encode() * 1000
        return [job.lines for job in jobs]
    finally:
        await storage.close()


def test_a_second_process_is_told_who_has_the_folder(tmp_path: Path) -> None:
    with start("hold", tmp_path) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "open\n"
        second = subprocess.run(
            [*PROGRAM, "hold", str(tmp_path)], capture_output=True, text=True, check=False, timeout=PATIENCE
        )
        assert (second.returncode, second.stderr) == (1, "")
        assert second.stdout == (
            f"the data folder {tmp_path} is in use by process {first.pid}: only one gateway process may serve it. "
            "Stop that one, or give this one a folder of its own (jobs.data)\n"
        )
    # Who is dead holds nothing.
    with start("hold", tmp_path) as next_one:
        assert next_one.stdout is not None
        assert next_one.stdout.readline() == "open\n"


async def test_a_folder_is_not_opened_twice_in_one_process(tmp_path: Path) -> None:
    storage = await open_storage(str(tmp_path), os.urandom)
    with pytest.raises(StorageError, match=f"in use by process {os.getpid()}"):
        await open_storage(str(tmp_path), os.urandom)
    await storage.close()


@pytest.mark.parametrize("moment", [0, 7, 40, 150])
async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, moment: int) -> None:
    said = write_until(tmp_path, moment)
    found = await read_jobs(tmp_path)
    assert found == list(range(len(found)))
    assert said == found[: len(said)]
    assert list((tmp_path / "incoming").iterdir()) == []


@pytest.mark.parametrize("tear", ["cut short", "overwritten"])
async def test_a_torn_last_write_is_dropped_and_never_half_read(tmp_path: Path, tear: str) -> None:
    whole = tmp_path / "whole"
    said = write_until(whole, 30)
    log = (whole / "records.sqlite-wal").read_bytes()
    counts = []
    for number in range(12):
        folder = tmp_path / str(number)
        shutil.copytree(whole, folder)
        # The log alone survives the power failing: its index is memory.
        (folder / "records.sqlite-shm").unlink()
        kept = len(log) * (number + 1) // 12 - 17
        torn = log[:kept] if tear == "cut short" else log[:kept] + bytes(len(log) - kept)
        (folder / "records.sqlite-wal").write_bytes(torn)
        found = await read_jobs(folder)
        assert found == list(range(len(found)))
        counts.append(len(found))
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    assert len(said) - 2 <= counts[-1]


def limit_room(folder: Path) -> list[str]:
    """A command's beginning that leaves it 2 MiB below the folder: a small disk, or where that is forbidden small files."""
    mount = 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"'
    disk = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(folder)]
    allowed = subprocess.run([*disk, "true"], capture_output=True, check=False, timeout=PATIENCE).returncode == 0
    return disk if allowed else ["prlimit", f"--fsize={2 << 20}"]


def test_an_object_that_has_no_room_leaves_none_taken(tmp_path: Path) -> None:
    command = [*limit_room(tmp_path), *PROGRAM, "fill", str(tmp_path)]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    large, there = process.stdout.splitlines()
    assert large in {
        "large: is_full=True: the files failed: No space left on device",
        "large: is_full=True: the files failed: File too large",
    }
    assert there == "['small']"
    assert (process.returncode, process.stderr) == (0, "")


async def test_records_that_have_no_room_stay_as_they_were(tmp_path: Path) -> None:
    await (await open_storage(str(tmp_path), os.urandom)).close()
    engine = make_engine(tmp_path / "records.sqlite")
    limit_pages(engine, 60)
    records = SqlRecords(engine, 1)
    kept: list[str] = []

    async def add_many() -> None:
        while True:
            async with records.begin() as tx:
                job_id = f"{len(kept):032x}"
                await tx.add_job(Job(job_id, "me", JobKind.NATIVE, State.COMPLETED, 1.0, 2.0, b"x" * 10_000))
            kept.append(job_id)

    with pytest.raises(StorageError, match="the records failed: database or disk is full") as failed:
        await add_many()
    assert failed.value.is_full
    async with records.begin() as tx:
        assert [job.id for job in await tx.list_jobs(Page(1000, newest_first=False))] == kept
        await tx.remove_job(kept.pop())
    with pytest.raises(StorageError):
        await add_many()
    assert len(kept) > 5
    await records.close()


def limit_pages(engine: AsyncEngine, most: int) -> None:
    """Let the database have so many pages, and be told at the next one what a full disk tells it."""

    @event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: object, _record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined] # a DBAPI connection
        cursor.execute(f"PRAGMA max_page_count={most}")
        cursor.close()
