"""Connections of aiosqlite that go to their thread as seldom as they can.

aiosqlite goes there four times for a statement: for a cursor, to execute, for the rows, to close it. Each time is a queue, two
switches of threads and a turn of the event loop, which was measured to be most of what a small transaction costs. Here it is
once, and what has no rows to tell goes along with what comes next: the begin, and what is written.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite

Work = Callable[[sqlite3.Connection], None]

# How statements begin that may be put off, and what is in those that have rows to tell none the less.
_SILENT = ("INSERT", "UPDATE", "DELETE")
_ROWS = "RETURNING"


class OneHopCursor:
    """What SQLAlchemy asks of an async cursor (PEP 249, with `await`). It has all rows once a statement was executed."""

    arraysize = 1

    def __init__(self, connection: "OneHopConnection") -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> "OneHopCursor":
        return self

    async def execute(self, statement: str, parameters: Any = ()) -> "OneHopCursor":
        """Execute it and take all of its rows."""
        return await self._do("execute", statement, parameters)

    async def executemany(self, statement: str, parameters: Sequence[Any]) -> "OneHopCursor":
        """Execute it for each of the parameters."""
        return await self._do("executemany", statement, parameters)

    async def _do(self, how: str, statement: str, parameters: Any) -> "OneHopCursor":
        run = partial(self._run, how, statement, parameters)
        if statement.startswith(_SILENT) and _ROWS not in statement:
            self._connection.put_off(run)
        else:
            await self._connection.do(run)
        return self

    def _run(self, how: str, statement: str, parameters: Any, connection: sqlite3.Connection) -> None:
        cursor = connection.cursor()
        try:
            getattr(cursor, how)(statement, parameters)
            self.description = cursor.description
            self._rows = cursor.fetchall() if cursor.description else []
            self.rowcount = cursor.rowcount
            self.lastrowid = cursor.lastrowid
        finally:
            cursor.close()

    async def fetchall(self) -> list[Any]:
        """The rows."""
        return self._rows

    async def close(self) -> None:
        """Nothing: it was closed as soon as it had its rows."""


class OneHopConnection(aiosqlite.Connection):
    """A connection with such cursors."""

    def __init__(self, connector: Callable[[], sqlite3.Connection], iter_chunk_size: int) -> None:
        super().__init__(connector, iter_chunk_size)
        self._put_off: list[Work] = []
        self._has_failed = False

    def cursor(self) -> Any:
        """A cursor. aiosqlite gives one that has to be awaited; SQLAlchemy enters it."""
        return OneHopCursor(self)

    def put_off(self, work: Work) -> None:
        """Have `work` done together with what is done next. What it raises comes out there, and the rest is not done."""
        self._put_off.append(work)

    def do(self, work: Work) -> Awaitable[None]:
        """Have `work` done by the connection's thread, after what it has been given before."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._running or self._connection is None:
            raise ValueError("Connection closed")
        works, self._put_off = (*self._put_off, work), []
        self._tx.put_nowait((done, partial(self._do_all, works, self._connection)))
        return done

    async def commit(self) -> None:
        """Keep what was done; if that fails, or what was put off, drop it: SQLAlchemy asks for no rollback then."""
        try:
            await self.do(sqlite3.Connection.commit)
        except BaseException:
            with suppress(sqlite3.Error):
                await self.rollback()
            raise

    async def rollback(self) -> None:
        """Drop what was done, and what was put off."""
        self._put_off.clear()
        self._has_failed = False
        await self.do(sqlite3.Connection.rollback)

    def _do_all(self, works: Sequence[Work], connection: sqlite3.Connection) -> None:
        """After one that fails nothing is done until the transaction is rolled back: the caller thinks that it is whole."""
        try:
            if self._has_failed:
                raise sqlite3.OperationalError("the transaction has failed before")
            for work in works:
                work(connection)
        except BaseException:
            self._has_failed = True
            raise


def connect(path: Path) -> OneHopConnection:
    """A connection to be awaited. Its thread does not keep the process from ending."""
    # SQLAlchemy closes a connection it has given up from another thread.
    connection = OneHopConnection(lambda: sqlite3.connect(path, check_same_thread=False), iter_chunk_size=64)
    connection._thread.daemon = True  # as SQLAlchemy does for those that it makes itself
    return connection
