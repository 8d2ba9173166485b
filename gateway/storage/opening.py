"""Opens a data folder: locks it, looks whether it is sound, and brings its records up to date."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.storage.failing import explain_records
from gateway.storage.local_files import LocalFiles
from gateway.storage.lock import FolderLock
from gateway.storage.schema import migrate
from gateway.storage.sql_records import SqlRecords
from gateway.storage.sqlite import ABREAST, check_pages, make_engine, make_migrating_engine


@dataclass(frozen=True, slots=True)
class Storage:
    """An open data folder."""

    records: SqlRecords
    files: LocalFiles
    lock: FolderLock

    async def close(self) -> None:
        """Close it. Nothing is under way any more."""
        try:
            await self.records.close()
        finally:
            self.lock.close()


async def open_storage(folder: str, entropy: Callable[[int], bytes]) -> Storage:
    """Open a data folder, made if missing. `entropy` gives random bytes.

    Raises StorageError, with one line for the operator, if another process has it, it cannot be written, its records are
    damaged, or a newer version of the gateway wrote them.
    """
    storage = await asyncio.to_thread(_open, Path(folder), entropy)
    try:
        # The connection is kept from now on: with no room left a new one could not even read.
        async with storage.records.begin():
            return storage
    except BaseException:
        await storage.close()
        raise


def _open(folder: Path, entropy: Callable[[int], bytes]) -> Storage:
    lock = FolderLock(folder)
    try:
        database = folder / "records.sqlite"
        check_pages(database)
        migrating = make_migrating_engine(database)
        with explain_records():
            migrate(migrating)
            migrating.dispose()
        return Storage(SqlRecords(make_engine(database), ABREAST), LocalFiles(folder, entropy), lock)
    except BaseException:
        lock.close()
        raise
