"""What a folder promises beyond what every store of objects does."""

import errno
import os
from pathlib import Path

import pytest

from gateway.jobs.ports import NoSuchObject, StorageError
from gateway.storage.local_files import LocalFiles, sync


@pytest.mark.parametrize("way", ["put", "open"])
async def test_an_object_and_the_folders_to_it_are_synced(tmp_path: Path, way: str) -> None:
    synced: list[int] = []

    def note(path: Path) -> None:
        synced.append(path.stat().st_ino)
        sync(path)

    files = LocalFiles(tmp_path, os.urandom, note)
    synced.clear()
    if way == "put":
        await files.put("jobs/a/part", b"hello")
    else:
        async with files.open("jobs/a/part") as writer:
            await writer.write(b"hello")
    assert synced == [(tmp_path / "objects" / name).stat().st_ino for name in ("jobs/a/part", "", "jobs", "jobs/a")]
    synced.clear()
    await files.put("jobs/a/another", b"hello")
    assert synced == [(tmp_path / "objects" / name).stat().st_ino for name in ("jobs/a/another", "jobs/a")]


@pytest.mark.parametrize(("number", "is_full"), [(errno.EIO, False), (errno.ENOSPC, True), (errno.EROFS, False)])
async def test_what_cannot_be_synced_is_no_object(tmp_path: Path, number: int, is_full: bool) -> None:
    fails = False

    def fail(path: Path) -> None:
        if fails and "incoming" in path.parts:
            raise OSError(number, os.strerror(number))

    files = LocalFiles(tmp_path, os.urandom, fail)
    await files.put("a", b"1")
    fails = True
    with pytest.raises(StorageError, match=f"the files failed: {os.strerror(number)}") as failed:
        await files.put("a", b"2")
    assert failed.value.is_full is is_full
    assert await files.read("a") == b"1"
    assert list((tmp_path / "incoming").iterdir()) == []


async def test_what_a_killed_process_left_is_removed_at_start(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path, os.urandom)
    await files.put("kept", b"1")
    (tmp_path / "incoming" / "half").write_bytes(b"2")
    files = LocalFiles(tmp_path, os.urandom)
    assert list((tmp_path / "incoming").iterdir()) == []
    assert await files.read("kept") == b"1"


async def test_what_is_not_there_because_nothing_is_may_come_back(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path, os.urandom)
    await files.put("jobs/a/part", b"hello")
    (tmp_path / "objects").rename(tmp_path / "unmounted")
    with pytest.raises(StorageError, match="there is no folder") as reading:
        await files.read("jobs/a/part")
    with pytest.raises(StorageError, match="there is no folder") as streaming:
        [piece async for piece in files.stream("jobs/a/part")]
    assert NoSuchObject not in {reading.type, streaming.type}
    (tmp_path / "unmounted").rename(tmp_path / "objects")
    assert await files.read("jobs/a/part") == b"hello"
    with pytest.raises(NoSuchObject):
        await files.read("jobs/a/other")


async def test_folders_that_are_empty_go_away(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path, os.urandom)
    await files.put("jobs/a/part", b"1")
    await files.remove(["jobs/a/part"])
    assert list((tmp_path / "objects").iterdir()) == []


async def test_a_large_object_takes_little_memory(tmp_path: Path) -> None:
    files = LocalFiles(tmp_path, os.urandom)
    piece = b"x" * 65_536

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before, most, size = resident(), 0, 0
    async with files.open("large") as writer:
        for number in range(200 << 4):
            await writer.write(piece)
            if number % 64 == 0:
                most = max(most, resident())
    async for read in files.stream("large"):
        size += len(read)
        most = max(most, resident())
    assert size == 200 << 20
    assert most - before < 32 << 20
