"""The records in an SQL database: transactions, each in its turn."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.jobs.ports import StorageError
from gateway.storage.failing import explain_records
from gateway.storage.sql_transaction import SqlTransaction, wholly


class SqlRecords:
    """Records of a database whose tables are there. `abreast` transactions run at one time, others wait for their turn."""

    def __init__(self, engine: AsyncEngine, abreast: int) -> None:
        self._engine = engine
        # Who waits in the engine's pool gives up after a time.
        self._turns = asyncio.Semaphore(abreast)
        self._endings: set[asyncio.Task[None]] = set()
        # To take one from the engine's pool and give it back costs as much as a statement.
        self._idle: list[AsyncConnection] = []

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["SqlTransaction"]:
        """As in the port."""
        await self._turns.acquire()
        connection = self._idle.pop() if self._idle else self._engine.connect()
        try:
            with explain_records():
                await wholly(_begin(connection))
            tx = SqlTransaction(connection)
            yield tx
        except BaseException:
            await self._finish(self._drop(connection))
            raise
        await self._finish(self._keep(connection, tx))

    async def close(self) -> None:
        """Give the database back. No transaction is open any more."""
        await asyncio.gather(*self._endings, return_exceptions=True)
        idle, self._idle = self._idle, []
        try:
            for connection in idle:
                await self._close(connection)
        finally:
            await self._engine.dispose()

    async def _finish(self, ending: Coroutine[None, None, None]) -> None:
        """Wait for it. Who is cancelled meanwhile does not take it along, so that what was kept is always announced."""
        task = asyncio.ensure_future(ending)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)
        await asyncio.shield(task)

    async def _keep(self, connection: AsyncConnection, tx: "SqlTransaction") -> None:
        try:
            with explain_records():
                await connection.commit()
        except BaseException:
            await self._drop(connection)
            raise
        self._idle.append(connection)
        self._turns.release()
        tx.announce()

    async def _drop(self, connection: AsyncConnection) -> None:
        try:
            await self._close(connection)
        finally:
            self._turns.release()

    @staticmethod
    async def _close(connection: AsyncConnection) -> None:
        """What the caller hears is what went wrong before."""
        with suppress(StorageError), explain_records():
            await connection.close()


async def _begin(connection: AsyncConnection) -> None:
    if connection.sync_connection is None:
        await connection.start()
    await connection.begin()
