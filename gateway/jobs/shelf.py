"""What clients may do with files."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

from gateway.batch.job import StoredFile
from gateway.errors import Refusal
from gateway.jobs.clients import Client
from gateway.jobs.ids import ENTROPY_BYTES, is_id, make_id
from gateway.jobs.keys import file_of
from gateway.jobs.ports import Page, StorageError, Transaction
from gateway.jobs.quota import check_stored
from gateway.jobs.refusing import refusing
from gateway.jobs.wiring import Wiring
from gateway.messages import Reason

PREFIX = "file-"


class Described(NamedTuple):
    """What a client says of a file. `keep` is for how many seconds; None is as long as the configuration says."""

    purpose: str
    filename: str
    keep: float | None = None


Describe = Callable[[], Described]


class Shelf:
    """Keeps the files of clients. Each method raises a Refusal; NOT_FOUND for what is another client's."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    async def add(self, client: Client, pieces: AsyncIterator[bytes], describe: Describe) -> StoredFile:
        """Store a file as it arrives. Durable when this returns. QUOTA_EXCEEDED, STORAGE_FULL.

        `describe` is called once, when `pieces` has ended: a form may say what a file is only after the file. Whatever it or
        `pieces` raises comes out of here, and then nothing was stored.
        """
        with refusing():
            now = self._wiring.now()
            file_id = make_id(PREFIX, now, self._wiring.entropy(ENTROPY_BYTES))
            size = await self._write(client, file_of(file_id), pieces)
            try:
                said = describe()
                kept = self._wiring.settings.retention.files if said.keep is None else said.keep
                file = StoredFile(file_id, client.name, said.purpose, said.filename, size, file_of(file_id), now, now + kept)
                async with self._wiring.records.begin() as tx:
                    check_stored(client, await tx.usage(client.name), size)
                    await tx.add_file(file)
            except (Refusal, StorageError):
                await self._wiring.files.remove([file_of(file_id)])
                raise
            return file

    async def _write(self, client: Client, key: str, pieces: AsyncIterator[bytes]) -> int:
        """Bytes written. The quota is looked at on the way: nobody may fill the disk with what will be refused."""
        async with self._wiring.records.begin() as tx:
            usage = await tx.usage(client.name)
        longest = self._wiring.settings.upload
        size = 0
        async with self._wiring.files.open(key) as writer:
            async for piece in pieces:
                size += len(piece)
                if size > longest:
                    raise Refusal(Reason.PAYLOAD_TOO_LARGE, f"the file is larger than {longest} bytes")
                check_stored(client, usage, size)
                await writer.write(piece)
        return size

    async def find(self, client: Client, file_id: str) -> StoredFile:
        """A file."""
        with refusing():
            async with self._wiring.records.begin() as tx:
                return await _find(tx, client, file_id)

    async def list(self, client: Client, purpose: str | None, page: Page) -> Sequence[StoredFile]:
        """Files. NOT_FOUND if `page.after` is no id of a file, be it one that is gone: who lists may remove what he sees."""
        if page.after is not None and not is_id(PREFIX, page.after):
            raise Refusal(Reason.NOT_FOUND, "there is no such file")
        with refusing():
            async with self._wiring.records.begin() as tx:
                return await tx.list_files(client.name, purpose, page)

    async def remove(self, client: Client, file_id: str) -> None:
        """Remove a file for good. CONFLICT while a job that has not ended reads it."""
        with refusing():
            async with self._wiring.records.begin() as tx:
                file = await _find(tx, client, file_id)
                using = await tx.jobs_using(file_id)
                if using:
                    raise Refusal(Reason.CONFLICT, f"the file is read by {using[0]}, which has not ended")
                await tx.remove_file(file_id)
            await self._wiring.files.remove([file.key])

    async def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        """Its bytes, piece by piece."""
        with refusing():
            async for piece in self._wiring.files.stream(file.key):
                yield piece


async def _find(tx: Transaction, client: Client, file_id: str) -> StoredFile:
    file = await tx.find_file(file_id, client.name)
    if file is None:
        raise Refusal(Reason.NOT_FOUND, "there is no such file")
    return file
