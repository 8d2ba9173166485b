"""Connections of aiosqlite that go to their thread once for a statement.

aiosqlite goes there four times: for a cursor, to execute, for the rows, to close it. Each time is a queue, two switches of
threads and a turn of the event loop, which was measured to be most of what a small transaction costs.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import aiosqlite


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
        await self._connection.do(partial(self._run, "execute", statement, parameters))
        return self

    async def executemany(self, statement: str, parameters: Sequence[Any]) -> "OneHopCursor":
        """Execute it for each of the parameters."""
        await self._connection.do(partial(self._run, "executemany", statement, parameters))
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

    def cursor(self) -> Any:
        """A cursor. aiosqlite gives one that has to be awaited; SQLAlchemy enters it."""
        return OneHopCursor(self)

    def do(self, work: Callable[[sqlite3.Connection], None]) -> Awaitable[None]:
        """Have `work` done by the connection's thread, after what it has been given before."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._running or self._connection is None:
            raise ValueError("Connection closed")
        self._tx.put_nowait((done, partial(work, self._connection)))
        return done


def connect(path: Path) -> OneHopConnection:
    """A connection to be awaited. Its thread does not keep the process from ending."""
    # SQLAlchemy closes a connection it has given up from another thread.
    connection = OneHopConnection(lambda: sqlite3.connect(path, check_same_thread=False), iter_chunk_size=64)
    connection._thread.daemon = True  # as SQLAlchemy does for those that it makes itself
    return connection
