"""How a data folder is opened, and why it is not."""

import logging
import os
import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gateway.jobs.ports import StorageError
from gateway.storage.opening import open_storage
from gateway.storage.sqlite import make_engine, make_migrating_engine
from gateway.storage.tables import records


async def open_and_close(folder: Path) -> None:
    await (await open_storage(str(folder), os.urandom)).close()


def list_names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def refuse(folder: Path) -> str:
    """Why the folder is not opened."""
    with pytest.raises(StorageError) as refused:
        await open_and_close(folder)
    message = str(refused.value)
    assert "\n" not in message
    return message


async def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    await open_and_close(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list_names(folder) == ["incoming", "lock", "objects", "records.sqlite"]


async def test_opening_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await open_and_close(tmp_path / "data")
        await open_and_close(tmp_path / "data")
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


async def test_migrations_make_the_very_tables_that_the_code_knows(tmp_path: Path) -> None:
    await open_and_close(tmp_path)
    with make_migrating_engine(tmp_path / "records.sqlite").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), records) == []


async def test_records_survive_the_power_failing(tmp_path: Path) -> None:
    await open_and_close(tmp_path)
    engine = make_engine(tmp_path / "records.sqlite")
    async with engine.connect() as connection:
        names = ["journal_mode", "synchronous", "foreign_keys", "busy_timeout"]
        answers = [(await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one() for name in names]
    await engine.dispose()
    assert answers == ["wal", 2, 1, 10_000]


async def test_records_of_a_newer_version_are_left_alone(tmp_path: Path) -> None:
    await open_and_close(tmp_path)
    with sqlite3.connect(tmp_path / "records.sqlite") as database:
        database.execute("UPDATE alembic_version SET version_num = '0009'")
    assert await refuse(tmp_path) == (
        "the records were written by a newer version of the gateway (schema 0009, this one knows 0001): "
        "start that version, or restore the folder from a backup made before it ran"
    )


@pytest.mark.parametrize("damage", ["no database", "a page is zero", "cut short"])
async def test_damaged_records_are_refused(tmp_path: Path, damage: str) -> None:
    await open_and_close(tmp_path)
    path = tmp_path / "records.sqlite"
    content = path.read_bytes()
    match damage:
        case "no database":
            path.write_bytes(b"x" * len(content))
        case "a page is zero":
            path.write_bytes(content[:8192] + bytes(4096) + content[12_288:])
        case _:
            path.write_bytes(content[: len(content) // 2])
    assert (await refuse(tmp_path)).startswith(f"the records in {path} ")


async def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"")
    message = f"the data folder {tmp_path / 'data'} cannot be used: File exists"
    assert await refuse(tmp_path / "data") == message
    message = f"the data folder {tmp_path / 'data' / 'below'} cannot be used: Not a directory"
    assert await refuse(tmp_path / "data" / "below") == message


async def test_a_folder_that_was_refused_can_be_opened_once_it_is_mended(tmp_path: Path) -> None:
    (tmp_path / "records.sqlite").write_bytes(b"x" * 10_000)
    await refuse(tmp_path)
    (tmp_path / "records.sqlite").unlink()
    await open_and_close(tmp_path)


async def test_an_open_folder_has_what_its_records_need_to_go_on(tmp_path: Path) -> None:
    """With no room left, the first use could not make SQLite's log and its index, and even reading would fail."""
    storage = await open_storage(str(tmp_path), os.urandom)
    names = list_names(tmp_path)
    await storage.close()
    assert {"records.sqlite-wal", "records.sqlite-shm"} <= set(names)
