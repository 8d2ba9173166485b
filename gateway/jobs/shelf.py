"""What clients may do with files."""

from collections.abc import AsyncIterator, Sequence

from gateway.batch.job import StoredFile
from gateway.jobs.clients import Client
from gateway.jobs.ports import Page


class Shelf:
    """Keeps the files of clients. Each method raises a Refusal; NOT_FOUND for what is another client's."""

    async def add(
        self, client: Client, purpose: str, filename: str, pieces: AsyncIterator[bytes], keep: float | None = None
    ) -> StoredFile:
        """Store a file as it arrives, for `keep` seconds. Durable when this returns. QUOTA_EXCEEDED, STORAGE_FULL."""
        raise NotImplementedError

    async def find(self, client: Client, file_id: str) -> StoredFile:
        """A file."""
        raise NotImplementedError

    async def list(self, client: Client, purpose: str | None, page: Page) -> Sequence[StoredFile]:
        """Files. NOT_FOUND if `page.after` is none of the client's."""
        raise NotImplementedError

    async def remove(self, client: Client, file_id: str) -> None:
        """Remove a file for good. CONFLICT while a job that has not ended reads it."""
        raise NotImplementedError

    def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        """Its bytes, piece by piece."""
        raise NotImplementedError
