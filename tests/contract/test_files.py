"""What every Files promises: a folder on the disk, and any other store of objects, of which memory is the simplest."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from gateway.jobs.ports import Files, NoSuchObject, StorageError
from gateway.storage.local_files import LocalFiles
from gateway.storage.object_files import ObjectFiles


@pytest.fixture(params=["folder", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    if request.param == "memory":
        return ObjectFiles(MemoryStore())
    (tmp_path / "data").mkdir()
    return LocalFiles(tmp_path / "data", os.urandom)


async def join(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def keys_below(files: Files, prefix: str) -> list[str]:
    return sorted([key async for key, _ in files.list(prefix)])


def list_on_disk(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def break_off(files: Files, key: str, piece: bytes, error: Exception) -> None:
    async with files.open(key) as writer:
        await writer.write(piece)
        raise error


async def test_what_is_put_is_read(files: Files) -> None:
    await files.put("jobs/a/part", b"hello")
    assert await files.read("jobs/a/part") == b"hello"
    assert await join(files.stream("jobs/a/part")) == b"hello"


async def test_an_object_is_replaced_as_a_whole(files: Files) -> None:
    await files.put("a", b"a long text")
    await files.put("a", b"short")
    assert await files.read("a") == b"short"


@pytest.mark.parametrize(
    ("start", "size", "expected"),
    [(0, 2, b"01"), (3, None, b"3456789"), (8, 5, b"89"), (10, None, b""), (99, 1, b""), (4, 0, b"")],
    ids=["the first two", "to the end", "beyond the end", "from the end", "from beyond the end", "none"],
)
async def test_part_of_an_object_is_read(files: Files, start: int, size: int | None, expected: bytes) -> None:
    await files.put("digits", b"0123456789")
    assert await files.read("digits", start, size) == expected


async def test_an_object_may_be_empty(files: Files) -> None:
    await files.put("put", b"")
    async with files.open("opened"):
        pass
    assert [await files.read(key) for key in ("put", "opened")] == [b"", b""]
    assert await join(files.stream("opened")) == b""


async def test_an_object_written_piece_by_piece_appears_when_it_is_whole(files: Files) -> None:
    pieces = [bytes([number]) * 700_000 for number in range(5)]
    async with files.open("jobs/a/results") as writer:
        for piece in pieces:
            await writer.write(piece)
        assert await keys_below(files, "jobs") == []
    assert await join(files.stream("jobs/a/results")) == b"".join(pieces)


@pytest.mark.parametrize("size", [10, 3_000_000], ids=["before anything was written", "when much was written"])
async def test_an_object_that_was_broken_off_never_was(files: Files, size: int) -> None:
    # A client that goes away is an OSError too, and none of the store's.
    with pytest.raises(ConnectionResetError):
        await break_off(files, "jobs/a/results", b"x" * size, ConnectionResetError())
    assert await keys_below(files, "") == []


async def test_who_is_cancelled_leaves_nothing_behind(files: Files, tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def upload() -> None:
        async with files.open("a") as writer:
            await writer.write(b"x" * 3_000_000)
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(upload())
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    assert await keys_below(files, "") == []
    assert list_on_disk(tmp_path) == []


async def test_what_is_not_there_is_no_such_object(files: Files) -> None:
    await files.put("a/b", b"")
    for key in ("nothing", "a", "a/b/c"):
        with pytest.raises(NoSuchObject):
            await files.read(key)
        with pytest.raises(NoSuchObject):
            await join(files.stream(key))


async def test_what_is_removed_is_gone_and_so_is_what_never_was(files: Files) -> None:
    await files.put("a/b", b"1")
    await files.put("a/c", b"2")
    await files.remove(["a/never", "a/b", "a/b"])
    assert await keys_below(files, "a") == ["a/c"]


async def test_a_folder_is_listed_as_a_whole_with_times(files: Files) -> None:
    for key in ("jobs/a/1", "jobs/a/2", "jobs/ab/1", "other"):
        await files.put(key, b"")
    assert await keys_below(files, "jobs/a") == await keys_below(files, "jobs/a/") == ["jobs/a/1", "jobs/a/2"]
    assert await keys_below(files, "") == ["jobs/a/1", "jobs/a/2", "jobs/ab/1", "other"]
    assert await keys_below(files, "nothing") == []
    (written,) = [when async for _, when in files.list("jobs/ab")]
    assert written > 1.7e9


@pytest.mark.parametrize(
    "key",
    [
        *["", "/etc/passwd", "../a", "a/../../b", "a/..", "a//b", "a/", ".", ".hidden", "a/./b"],
        *["a\0", "a\n", "a b", "a#1", "é", "a/%2e", "a" * 201, "a/" * 300 + "a", "a" * 1_000_000],
    ],
    ids=lambda key: f"{len(key)} {key[:12]!a}",
)
async def test_a_key_leads_nowhere_else(files: Files, key: str, tmp_path: Path) -> None:
    with pytest.raises(NoSuchObject):
        await files.read(key)
    with pytest.raises(NoSuchObject):
        await join(files.stream(key))
    with pytest.raises(StorageError):
        await files.put(key, b"x")
    with pytest.raises(StorageError):
        async with files.open(key):
            pass
    with pytest.raises(StorageError):
        await files.remove([key])
    assert await keys_below(files, "") == []
    assert list_on_disk(tmp_path) == []


async def test_many_write_and_remove_at_one_time(files: Files) -> None:
    async def come_and_go(number: int) -> None:
        for _ in range(5):
            await files.put(f"shared/{number}", b"x")
            await files.remove([f"shared/{number}"])
        await files.put(f"shared/{number}", str(number).encode())

    await asyncio.gather(*[come_and_go(number) for number in range(12)])
    assert [await files.read(f"shared/{number}") for number in range(12)] == [str(number).encode() for number in range(12)]
