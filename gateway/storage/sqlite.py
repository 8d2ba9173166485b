"""All that is SQLite's own: how a database is opened, and how it begins a transaction."""

import sqlite3
from functools import partial
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.jobs.ports import StorageError
from gateway.storage.one_hop import OneHopConnection, connect

ABREAST = 1
"""Transactions at one time: SQLite has one writer anyway."""

_BEGIN = "BEGIN IMMEDIATE"
"""A transaction that began as a reader could fail as a writer, however long it waited."""

_PRAGMAS = (
    "PRAGMA busy_timeout=10000",
    "PRAGMA journal_mode=WAL",
    # With WAL, NORMAL could lose transactions that were acknowledged when the power fails.
    "PRAGMA synchronous=FULL",
    # What is removed is gone: jobs hold their askers' credentials until they end.
    "PRAGMA secure_delete=ON",
    "PRAGMA journal_size_limit=16777216",
)


def make_engine(path: Path) -> AsyncEngine:
    """The database as everybody uses it, by `ABREAST` connections."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        pool_size=ABREAST,
        max_overflow=0,
        async_creator=partial(connect_to, path),
        # Every transaction is committed or rolled back before.
        pool_reset_on_return=None,
    )
    _prepare(engine.sync_engine, (*_PRAGMAS, "PRAGMA foreign_keys=ON"))

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        cast(OneHopConnection, connection.connection.driver_connection).put_off(_begin)

    return engine


async def connect_to(path: Path) -> OneHopConnection:
    """A connection that is open."""
    connection = connect(path)
    await connection
    return connection


def make_migrating_engine(path: Path) -> Engine:
    """The database as migrations use it: a table that is made anew must not take the rows that refer to it along."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    _prepare(engine, (*_PRAGMAS, "PRAGMA foreign_keys=OFF"))

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(_BEGIN)

    return engine


def check_pages(path: Path) -> None:
    """Raise StorageError if the database is damaged, as far as one can see."""
    connection = sqlite3.connect(path)
    try:
        found = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    except sqlite3.DatabaseError as error:
        raise StorageError(f"the records in {path} cannot be read: {error}") from error
    finally:
        connection.close()
    if found != ["ok"]:
        found_wrong = " ".join(found[0].split())
        raise StorageError(f"the records in {path} are damaged: {found_wrong}. Restore the folder from a backup")


def _prepare(engine: Engine, pragmas: tuple[str, ...]) -> None:
    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _record: object) -> None:
        # Otherwise sqlite3 decides by itself when a transaction begins, and leaves reads and DDL out of it.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()


def _begin(connection: sqlite3.Connection) -> None:
    connection.execute(_BEGIN)
