"""Objects in a folder. When a call returns they survive that the power fails, which obstore alone does not promise.

A. An object is written under another name, in `incoming`.
B. Its bytes are made safe (fsync).
C. It gets its name, in one step (rename).
D. The folders that lead to it are made safe.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from threading import Lock

from obstore.store import LocalStore

from gateway.jobs.ports import NoSuchObject, StorageError
from gateway.storage.failing import explain_files
from gateway.storage.keys import check_key
from gateway.storage.object_files import ObjectFiles, ObjectWriter


def sync(path: Path) -> None:
    """Have the disk keep a file, or which names a folder has (fsync). Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class LocalFiles:
    """The Files in a folder that is this process's alone. What an earlier one left half-written is removed.

    `entropy` gives random bytes.
    """

    def __init__(self, folder: Path, entropy: Callable[[int], bytes], sync: Callable[[Path], None] = sync) -> None:
        self._objects = folder / "objects"
        self._incoming = folder / "incoming"
        self._entropy = entropy
        self._sync = sync
        self._making = Lock()
        with explain_files(str(folder)):
            for place in (self._objects, self._incoming):
                place.mkdir(exist_ok=True)
            for left in self._incoming.iterdir():
                left.unlink()
            sync(folder)
            self._settled = ObjectFiles(LocalStore(self._objects, automatic_cleanup=True))
            self._staged = ObjectFiles(LocalStore(self._incoming))
        self.size = self._settled.size
        self.remove = self._settled.remove
        self.list = self._settled.list

    async def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """As in the port."""
        with self._unless_all_are_gone():
            return await self._settled.read(key, start, size)

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        """As in the port."""
        with self._unless_all_are_gone():
            async for piece in self._settled.stream(key):
                yield piece

    @contextmanager
    def _unless_all_are_gone(self) -> Iterator[None]:
        """A disk that is not mounted may come back: no object is missing for good then."""
        try:
            yield
        except NoSuchObject as error:
            if self._objects.is_dir():
                raise
            raise StorageError(f"the files failed: there is no folder {self._objects}") from error

    async def put(self, key: str, content: bytes) -> None:
        """As in the port."""
        async with self._place(key) as name:
            await self._staged.put(name, content)

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[ObjectWriter]:
        """As in the port."""
        async with self._place(key) as name, self._staged.open(name) as writer:
            yield writer

    @asynccontextmanager
    async def _place(self, key: str) -> AsyncIterator[str]:
        """A name for what is to be the object of this key when the block ends."""
        check_key(key)
        name = self._entropy(16).hex()
        staged = self._incoming / name
        try:
            yield name
            with explain_files(key):
                await asyncio.to_thread(self._settle, staged, self._objects / key)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise

    def _settle(self, staged: Path, target: Path) -> None:
        self._sync(staged)
        while True:
            try:
                self._make_folder(target.parent)
                staged.replace(target)
                break
            except FileNotFoundError:
                # Removing the last object of a folder removes the folder, perhaps just now.
                if not staged.exists():
                    raise
        self._sync(target.parent)

    def _make_folder(self, folder: Path) -> None:
        """Make a folder, and have the disk keep it. Who finds it there finds that done, too."""
        with self._making:
            missing = []
            while not folder.is_dir():
                missing.append(folder)
                folder = folder.parent
            for one in reversed(missing):
                one.mkdir(exist_ok=True)
                self._sync(one.parent)
