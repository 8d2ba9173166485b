"""Services that nobody here wrote: httpbin and datasette, from an environment of their own, each a process with a free port.

A missing environment fails with what to do about it; it never skips.
"""

import asyncio
import os
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.process import PATIENCE, ROOT

PROGRAMS = ROOT / ".venv-servers" / "bin"


@asynccontextmanager
async def httpbin() -> AsyncIterator[str]:
    """httpbin under gunicorn; its origin."""
    port = _free_port()
    threads = ("--workers", "1", "--threads", "32", "--worker-class", "gthread")
    async with _running("gunicorn", *threads, "--bind", f"127.0.0.1:{port}", "httpbin:app", port=port) as origin:
        yield origin


@asynccontextmanager
async def datasette(database: Path) -> AsyncIterator[str]:
    """datasette over a SQLite file; its origin."""
    port = _free_port()
    async with _running("datasette", "serve", str(database), "--host", "127.0.0.1", "--port", str(port), port=port) as origin:
        yield origin


def write_library(path: Path) -> None:
    """A SQLite file with a few books, their authors, and a table that is empty."""
    with sqlite3.connect(path) as connection:
        connection.executescript(
            """
            create table authors (id integer primary key, name text not null);
            create table books (id integer primary key, title text not null, author integer references authors, price numeric);
            create table loans (id integer primary key, book integer references books);
            insert into authors values (1, 'Ursula K. Le Guin'), (2, 'Stanisław Lem');
            insert into books values (1, 'The Dispossessed', 1, 12.5), (2, 'Solaris', 2, 9.99), (3, 'The Word for World', 1, 8);
            """
        )
    connection.close()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@asynccontextmanager
async def _running(program: str, *arguments: str, port: int) -> AsyncIterator[str]:
    path = PROGRAMS / program
    if not path.exists():
        raise RuntimeError(f"{path.relative_to(ROOT)} is missing: run `make setup-servers`")
    process = await asyncio.create_subprocess_exec(
        str(path), *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    said = asyncio.create_task(process.stderr.read())
    try:
        await _answering(process, port)
        yield f"http://127.0.0.1:{port}"
    except ConnectionError as error:
        raise RuntimeError(f"{program} ended with {process.returncode}: {(await said).decode(errors='replace')}") from error
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)
        await process.wait()
        await said


async def _answering(process: asyncio.subprocess.Process, port: int) -> None:
    """Wait until it accepts connections."""
    async with asyncio.timeout(PATIENCE):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            await writer.wait_closed()
            return
    raise ConnectionError
