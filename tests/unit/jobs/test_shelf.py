from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.config.jobs import QuotaSettings
from gateway.errors import Refusal
from gateway.jobs.clients import EVERYBODY, Client
from gateway.jobs.ports import Page
from gateway.jobs.shelf import Described
from gateway.messages import Reason
from tests.support.line_jobs import House, Upstream, Wall, house, pieces, running
from tests.support.plain_lines import line

OTHER = Client("other", QuotaSettings())


async def add(at: House, content: bytes = b"abc", client: Client = EVERYBODY, purpose: str = "batch") -> str:
    """The id of a new file."""
    return (await at.shelf.add(client, pieces(content), lambda: Described(purpose, "a.jsonl"))).id


async def refused(waiting: object) -> Reason:
    with pytest.raises(Refusal) as caught:
        await waiting  # type: ignore[misc]
    return caught.value.reason


async def objects(at: House) -> list[str]:
    return [key async for key, _ in at.wiring.files.list("files")]


@pytest.mark.parametrize("keep", [None, 60.0])
async def test_a_file_is_read_back_as_it_came_and_kept_as_long_as_asked(tmp_path: Path, keep: float | None) -> None:
    wall = Wall()
    content = bytes(range(256)) * 5000
    async with house(tmp_path, Upstream(), now=wall, retention={"files": "2h"}) as at:
        file = await at.shelf.add(EVERYBODY, pieces(content, 7777), lambda: Described("batch", "ä.jsonl", keep))
        assert (file.size, file.filename, file.purpose) == (len(content), "ä.jsonl", "batch")
        assert (file.created_at, file.expires_at) == (wall.now, wall.now + (keep or 7200))
        assert file.id.startswith("file-")
        assert await at.shelf.find(EVERYBODY, file.id) == file
        assert b"".join([piece async for piece in at.shelf.read(file)]) == content


async def test_files_of_one_client_are_not_there_for_another(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        file_id = await add(at)
        for waiting in (
            at.shelf.find(OTHER, file_id),
            at.shelf.remove(OTHER, file_id),
            at.shelf.list(OTHER, None, Page(1, "../../etc/passwd")),
            at.shelf.find(EVERYBODY, "../../etc/passwd"),
            at.shelf.find(EVERYBODY, "x" * 100_000),
        ):
            assert await refused(waiting) is Reason.NOT_FOUND
        assert await at.shelf.list(OTHER, None, Page(10)) == []
        assert await at.shelf.list(OTHER, None, Page(10, file_id, newest_first=False)) == []
        assert [file.id for file in await at.shelf.list(EVERYBODY, "batch", Page(10))] == [file_id]
        assert await at.shelf.list(EVERYBODY, "other", Page(10)) == []


async def test_a_removed_file_is_gone_with_its_bytes(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        file_id = await add(at)
        file = await at.shelf.find(EVERYBODY, file_id)
        await at.shelf.remove(EVERYBODY, file_id)
        assert await refused(at.shelf.find(EVERYBODY, file_id)) is Reason.NOT_FOUND
        assert await objects(at) == []
        with pytest.raises(Refusal):
            _ = [piece async for piece in at.shelf.read(file)]


async def test_a_file_that_a_job_reads_stays_until_that_has_ended(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream()) as at:
        job = await at.submit([line("a")])
        assert job.input_file is not None
        assert await refused(at.shelf.remove(EVERYBODY, job.input_file)) is Reason.CONFLICT
        async with running(at):
            await at.ended(job.id)
        await at.shelf.remove(EVERYBODY, job.input_file)


async def counted(total: int, seen: list[int]) -> AsyncIterator[bytes]:
    """Pieces of 1000 bytes, and how many have been taken."""
    for number in range(total):
        seen.append(number)
        yield b"x" * 1000


async def test_a_quota_ends_an_upload_on_the_way(tmp_path: Path) -> None:
    client = Client("acme", QuotaSettings(stored=5000))
    seen: list[int] = []
    async with house(tmp_path, Upstream()) as at:
        await add(at, b"x" * 2500, client)
        adding = at.shelf.add(client, counted(1000, seen), lambda: Described("batch", "a"))
        assert await refused(adding) is Reason.QUOTA_EXCEEDED
        assert len(seen) == 3
        assert len(await objects(at)) == 1
        await add(at, b"x" * 2500, client)


async def test_two_uploads_at_one_time_do_not_share_what_is_left_of_a_quota(tmp_path: Path) -> None:
    client = Client("acme", QuotaSettings(stored=5000))
    async with house(tmp_path, Upstream()) as at:

        async def slow() -> AsyncIterator[bytes]:
            yield b"x" * 2000
            await add(at, b"x" * 2000, client)
            yield b"x" * 2000

        assert await refused(at.shelf.add(client, slow(), lambda: Described("batch", "a"))) is Reason.QUOTA_EXCEEDED
        assert len(await objects(at)) == 1


async def test_a_file_has_a_largest_size(tmp_path: Path) -> None:
    async with house(tmp_path, Upstream(), upload="1KiB") as at:
        await add(at, b"x" * 1024)
        assert await refused(add(at, b"x" * 1025)) is Reason.PAYLOAD_TOO_LARGE


async def test_what_an_upload_or_its_description_raises_comes_out_and_nothing_is_kept(tmp_path: Path) -> None:
    def describe() -> Described:
        raise Refusal(Reason.BAD_REQUEST, "no purpose")

    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ConnectionResetError

    async with house(tmp_path, Upstream()) as at:
        assert await refused(at.shelf.add(EVERYBODY, pieces(b"x"), describe)) is Reason.BAD_REQUEST
        with pytest.raises(ConnectionResetError):
            await at.shelf.add(EVERYBODY, broken(), lambda: Described("batch", "a"))
        assert await objects(at) == []
