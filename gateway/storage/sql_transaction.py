"""What is asked and changed in one transaction of an SQL database."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import Executable

from gateway.batch.job import Chunk, Delivery, Ending, Job, JobKind, Part, Series, State, StoredFile
from gateway.jobs.ports import Backlog, Held, Page, Usage
from gateway.jsontext import dump, load
from gateway.storage import hot, rows, statements, tables
from gateway.storage.failing import explain_records

T = TypeVar("T")

ALONE = "sqlite"
"""The dialect of a database that has one writer at a time anyway."""

_FRESH = 1.0
"""Seconds for which it need not be shown again that somebody works on a chunk."""


async def wholly(doing: Awaitable[T]) -> T:
    """Its result. Who is cancelled meanwhile waits for its end: cut short, it could leave the database locked for a while."""
    task = asyncio.ensure_future(doing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


class SqlTransaction:
    """As in the port, and tells what it is asked to when it was kept."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._calls: list[Callable[[], None]] = []

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have `call` called once the transaction was kept; never, if it is dropped."""
        self._calls.append(call)

    def announce(self) -> None:
        """It was kept."""
        for call in self._calls:
            call()

    async def _run(
        self, statement: Executable, values: Sequence[dict[str, Any]] | dict[str, Any] | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        with explain_records():
            return await wholly(self._connection.execute(statement, values))

    async def _run_together(self, *statements: tuple[Executable, dict[str, Any]]) -> CursorResult[*tuple[Any, ...]]:
        """The result of the last of them. What SQLAlchemy does to wait is done once for all."""

        def run(connection: Connection) -> CursorResult[*tuple[Any, ...]]:
            *first, (last, values) = statements
            for statement, its_values in first:
                connection.execute(statement, its_values)
            return connection.execute(last, values)

        with explain_records():
            return await wholly(self._connection.run_sync(run))

    async def _all(self, statement: Executable, read: Callable[[Any], T], values: dict[str, Any] | None = None) -> list[T]:
        return [read(row) for row in (await self._run(statement, values)).mappings()]

    async def _one(self, statement: Executable, read: Callable[[Any], T], values: dict[str, Any] | None = None) -> T | None:
        row = (await self._run(statement, values)).mappings().one_or_none()
        return None if row is None else read(row)

    # files

    async def add_file(self, file: StoredFile) -> None:
        """As in the port, like all that follow."""
        await self._run(insert(tables.files), [rows.fields_of(file)])

    async def find_file(self, file_id: str, tenant: str | None = None) -> StoredFile | None:
        found = select(tables.files).where(tables.files.c.id == file_id)
        return await self._one(found if tenant is None else found.where(tables.files.c.tenant == tenant), rows.read_file)

    async def list_files(self, tenant: str, purpose: str | None, page: Page) -> Sequence[StoredFile]:
        return await self._all(statements.list_files(tenant, purpose, page), rows.read_file)

    async def remove_file(self, file_id: str) -> None:
        await self._run(delete(tables.files).where(tables.files.c.id == file_id))

    async def expired_files(self, now: float, most: int) -> Sequence[StoredFile]:
        return await self._all(statements.expired_files(now, most), rows.read_file)

    async def usage(self, tenant: str) -> Usage:
        return Usage(*(await self._run(statements.usage(tenant))).one())

    # jobs

    async def add_job(self, job: Job) -> None:
        await self._run(insert(tables.jobs), [rows.row_of_job(job)])

    async def find_job(
        self, job_id: str, tenant: str | None = None, kind: JobKind | None = None, counted: bool = True
    ) -> Job | None:
        job = await self._one(hot.FIND_JOB if counted else hot.FIND_UNCOUNTED, rows.read_job, {"p_job": job_id})
        return job if job is not None and tenant in {None, job.tenant} and kind in {None, job.kind} else None

    async def list_jobs(
        self, page: Page, tenant: str | None = None, kind: JobKind | None = None, states: frozenset[State] | None = None
    ) -> Sequence[Job]:
        return await self._all(statements.list_jobs(page, tenant, kind, states), rows.read_job)

    async def change_job(self, job_id: str, among: frozenset[State], **changes: object) -> Job | None:
        changed = (await self._run(statements.change_job(job_id, among, changes))).one_or_none()
        return None if changed is None else await self.find_job(job_id)

    async def jobs_using(self, file_id: str) -> Sequence[str]:
        return list((await self._run(statements.jobs_using(file_id))).scalars())

    async def remove_job(self, job_id: str) -> None:
        await self._run(delete(tables.jobs).where(tables.jobs.c.id == job_id))

    async def jobs_to_forget(self, now: float, most: int) -> Sequence[Job]:
        return await self._all(statements.jobs_to_forget(now, most), rows.read_job)

    # chunks

    async def add_chunks(self, chunks: Sequence[Chunk]) -> None:
        if chunks:
            await self._run(insert(tables.chunks), [rows.row_of_chunk(chunk) for chunk in chunks])

    async def lease(self, job_id: str, number: int, token: str, now: float) -> Chunk | None:
        values = {"p_job": job_id, "p_number": number, "p_token": token, "p_now": now}
        return await self._one(hot.LEASE, rows.read_chunk, values)

    async def holds(self, job_id: str, number: int, token: str, now: float) -> Held | None:
        values = {"p_job": job_id, "p_number": number, "p_token": token}
        row = (await self._run(hot.HELD, values)).one_or_none()
        if row is None:
            return None
        ending, touched_at = row
        if abs(now - touched_at) >= _FRESH:
            await self._run(hot.TOUCH, {"p_job": job_id, "p_number": number, "p_now": now})
        return Held(None if ending is None else Ending(ending))

    async def add_part(self, part: Part, succeeded: int, failed: int) -> None:
        chunk = {"p_job": part.job, "p_number": part.chunk}
        counts = {"p_succeeded": succeeded, "p_failed": failed}
        await self._run_together((hot.ADD_PART, chunk | rows.values_of_part(part)), (hot.COUNT_LINES, chunk | counts))

    async def forgive(self, job_id: str, number: int) -> None:
        await self._run(hot.FORGIVE, {"p_job": job_id, "p_number": number})

    async def close_chunk(self, job_id: str, number: int) -> int:
        # Where several write at one time, the last two to close must not each see the other's chunk open.
        job: dict[str, Any] = {"p_job": job_id}
        chunk = job | {"p_number": number}
        if self._connection.dialect.name != ALONE:
            await self._run(hot.LOCK_JOB, job)
        left = await self._run_together((hot.CLOSE, chunk), (hot.DROP_INTENTS, chunk), (hot.LEFT, job))
        return int(left.scalar_one())

    async def open_chunks(self, before: float) -> Sequence[tuple[str, int]]:
        return [(job, number) for job, number in await self._run(statements.open_chunks(before))]

    async def parts(self, job_id: str, series: Series | None = None, chunk: int | None = None) -> Sequence[Part]:
        if series is None and chunk is not None:
            return await self._all(hot.PARTS, rows.read_part, {"p_job": job_id, "p_number": chunk})
        return await self._all(statements.list_parts(job_id, series, chunk), rows.read_part)

    async def drop_parts(self, job_id: str) -> None:
        await self._run(delete(tables.parts).where(tables.parts.c.job == job_id))

    # intents

    async def add_intents(self, job_id: str, chunk: int, lines: Sequence[int]) -> None:
        await self._note_intents(job_id, chunk, lines, True)

    async def drop_intents(self, job_id: str, chunk: int, lines: Sequence[int]) -> None:
        await self._note_intents(job_id, chunk, lines, False)

    async def _note_intents(self, job_id: str, chunk: int, lines: Sequence[int], is_on: bool) -> None:
        if lines:
            noted = {"p_lines": dump(list(lines)).decode(), "p_is_on": is_on}
            await self._run(hot.NOTE_INTENTS, {"p_job": job_id, "p_number": chunk} | noted)

    async def intents(self, job_id: str, chunk: int) -> frozenset[int]:
        noted: set[int] = set()
        for lines, is_on in await self._run(hot.INTENTS, {"p_job": job_id, "p_number": chunk}):
            (noted.update if is_on else noted.difference_update)(load(lines.encode()))
        return frozenset(noted)

    # callbacks

    async def add_delivery(self, delivery: Delivery) -> None:
        await self._run(insert(tables.deliveries), [rows.fields_of(delivery)])

    async def find_delivery(self, delivery_id: str) -> Delivery | None:
        return await self._one(select(tables.deliveries).where(tables.deliveries.c.id == delivery_id), rows.read_delivery)

    async def change_delivery(self, delivery_id: str, **changes: object) -> Delivery | None:
        changed = (
            update(tables.deliveries)
            .where(tables.deliveries.c.id == delivery_id)
            .values(rows.spell(changes))
            .returning(tables.deliveries)
        )
        return await self._one(changed, rows.read_delivery)

    async def list_deliveries(
        self, job_id: str | None = None, state: str | None = None, tenant: str | None = None, most: int = 1000
    ) -> Sequence[Delivery]:
        return await self._all(statements.list_deliveries(job_id, state, tenant, most), rows.read_delivery)

    async def tally(self, now: float) -> Backlog:
        counted = await self._run(
            select(tables.jobs.c.kind, tables.jobs.c.state, func.count()).group_by(tables.jobs.c.kind, tables.jobs.c.state)
        )
        open_chunks, pending, dead, oldest = (await self._run(statements.backlog())).one()
        by_kind = {(kind, state): count for kind, state, count in counted}
        return Backlog(by_kind, open_chunks, pending, dead, 0.0 if oldest is None else max(0.0, now - oldest))
