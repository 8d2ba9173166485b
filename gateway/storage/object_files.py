"""Objects in any store that obstore knows: memory now, a bucket later. What such a store says it has, it has for good."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import obstore
from obstore.store import ObjectStore

from gateway.jobs.ports import NoSuchObject, StorageError
from gateway.storage.failing import explain_files
from gateway.storage.keys import check_key

if TYPE_CHECKING:
    # It is a type alone: the module has no such name when it runs.
    from obstore import AsyncWritableFile

_PIECE = 256 * 1024
"""Bytes that `stream` gives at one time, at least."""

_BLOCK = 1 << 20
"""Bytes that a writer collects before it writes them. `_ABREAST` blocks may be under way."""

_ABREAST = 4


class ObjectWriter:
    """An object being written. The store shows it when `writer` is closed."""

    def __init__(self, key: str, writer: "AsyncWritableFile") -> None:
        self._key = key
        self._writer = writer

    async def write(self, piece: bytes) -> None:
        """As in the port."""
        with explain_files(self._key):
            await self._writer.write(piece)


class ObjectFiles:
    """The Files of a store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, key: str, content: bytes) -> None:
        """As in the port, like all that follow."""
        check_key(key)
        with explain_files(key):
            await obstore.put_async(self._store, key, content)

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[ObjectWriter]:
        check_key(key)
        writer = obstore.open_writer_async(self._store, key, buffer_size=_BLOCK, max_concurrency=_ABREAST)
        with explain_files(key):
            await writer.__aenter__()
        try:
            yield ObjectWriter(key, writer)
        except BaseException as error:
            # Given an exception, it withdraws what it has written. Who opened it hears of their own, not of that.
            with suppress(StorageError), explain_files(key):
                await writer.__aexit__(type(error), error, error.__traceback__)
            raise
        with explain_files(key):
            await writer.close()

    async def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        check_key(key)
        with explain_files(key):
            length = (await obstore.head_async(self._store, key))["size"]
            end = length if size is None else min(length, start + size)
            # An empty range is an error to a store.
            if start >= end:
                return b""
            return bytes(await obstore.get_range_async(self._store, key, start=start, end=end))

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        check_key(key)
        with explain_files(key):
            pieces = (await obstore.get_async(self._store, key)).stream(min_chunk_size=_PIECE)
        while True:
            with explain_files(key):
                piece = await anext(pieces, None)
            if piece is None:
                return
            yield bytes(piece)

    async def size(self, key: str) -> int:
        check_key(key)
        with explain_files(key):
            return int((await obstore.head_async(self._store, key))["size"])

    async def remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            check_key(key)
            try:
                with explain_files(key):
                    await obstore.delete_async(self._store, key)
            except NoSuchObject:
                continue

    async def list(self, prefix: str) -> AsyncIterator[tuple[str, float]]:
        pages = obstore.list(self._store, check_key(prefix.rstrip("/")) if prefix else None)
        while True:
            with explain_files(prefix):
                page = await anext(pages, None)
            if page is None:
                return
            for found in page:
                yield found["path"], found["last_modified"].timestamp()
