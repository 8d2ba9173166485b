"""The questions and changes that take more than a line of SQL, as statements."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    Update,
    exists,
    func,
    select,
    update,
)

from gateway.batch.job import FINAL, NEXT, RUNNING, Job, JobKind, Series, State
from gateway.jobs.ports import Page
from gateway.storage.rows import COUNTS, find_ordinal, spell
from gateway.storage.tables import chunks, deliveries, files, jobs, parts

_FINAL = sorted(FINAL)
_RUNNING = sorted(RUNNING)
_UNCHANGEABLE = COUNTS | {"id", "tenant", "kind"}


def _sum_over_chunks(column: ColumnElement[int]) -> ScalarSelect[int]:
    return select(func.coalesce(func.sum(column), 0)).where(chunks.c.job == jobs.c.id).correlate(jobs).scalar_subquery()


COUNTED = (
    *jobs.c,
    _sum_over_chunks(chunks.c.succeeded).label("succeeded"),
    _sum_over_chunks(chunks.c.failed).label("failed"),
)
"""A job with its counts."""


def _turn(statement: Select[Any], ordinal: ColumnElement[str], page: Page, after: str | None) -> Select[Any]:
    """The page of what the statement finds. New ones are found at its newest end alone, so pages do not shift."""
    if after is not None:
        statement = statement.where(ordinal < after if page.newest_first else ordinal > after)
    return statement.order_by(ordinal.desc() if page.newest_first else ordinal.asc()).limit(page.limit)


# ---- files ----


def list_files(tenant: str, purpose: str | None, page: Page) -> Select[Any]:
    """A page of a tenant's files."""
    found = select(files).where(files.c.tenant == tenant)
    if purpose is not None:
        found = found.where(files.c.purpose == purpose)
    return _turn(found, files.c.id, page, page.after)


def expired_files(now: float, most: int) -> Select[Any]:
    """Files whose time is over and that no open job reads."""
    is_read = exists().where(jobs.c.input_file == files.c.id, jobs.c.state.not_in(_FINAL))
    return select(files).where(files.c.expires_at <= now, ~is_read).order_by(files.c.expires_at).limit(most)


def usage(tenant: str) -> Select[Any]:
    """Bytes of files, jobs that are not final, lines of those."""
    stored = select(func.coalesce(func.sum(files.c.size), 0)).where(files.c.tenant == tenant).scalar_subquery()
    return select(stored, func.count(), func.coalesce(func.sum(jobs.c.lines), 0)).where(
        jobs.c.tenant == tenant, jobs.c.state.not_in(_FINAL)
    )


# ---- jobs ----


def list_jobs(page: Page, tenant: str | None, kind: JobKind | None, states: frozenset[State] | None) -> Select[Any]:
    """A page of jobs with their counts."""
    found = select(*COUNTED)
    if tenant is not None:
        found = found.where(jobs.c.tenant == tenant)
    if kind is not None:
        found = found.where(jobs.c.kind == kind.value)
    if states is not None:
        found = found.where(jobs.c.state.in_(sorted(states)))
    return _turn(found, jobs.c.ordinal, page, None if page.after is None else find_ordinal(page.after))


def change_job(job_id: str, among: frozenset[State], changes: Mapping[str, object]) -> Update:
    """The change, if the job's state is among these. ValueError for one that no job may go through."""
    wrong = sorted(changes.keys() - set(Job.__struct_fields__) | changes.keys() & _UNCHANGEABLE)
    if wrong:
        raise ValueError(f"a job's {', '.join(wrong)} cannot be changed")
    if "state" in changes:
        refusing = [state.value for state in sorted(among) if changes["state"] not in NEXT[state]]
        if refusing:
            raise ValueError(f"a job cannot become {changes['state']} after {', '.join(refusing)}")
    return update(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(sorted(among))).values(spell(changes)).returning(jobs.c.id)


def jobs_using(file_id: str) -> Select[Any]:
    """Ids of the open jobs that read a file."""
    return select(jobs.c.id).where(jobs.c.input_file == file_id, jobs.c.state.not_in(_FINAL)).order_by(jobs.c.ordinal)


def jobs_to_forget(now: float, most: int) -> Select[Any]:
    """Final jobs kept long enough."""
    return (
        select(*COUNTED)
        .where(jobs.c.keep_until <= now, jobs.c.state.in_(_FINAL))
        .order_by(jobs.c.keep_until, jobs.c.id)
        .limit(most)
    )


# ---- chunks and parts ----


def open_chunks(before: float) -> Select[Any]:
    """(job, number) of open chunks of running jobs, untouched since then."""
    return (
        select(chunks.c.job, chunks.c.number)
        .join(jobs)
        .where(~chunks.c.closed, chunks.c.touched_at < before, jobs.c.state.in_(_RUNNING))
        .order_by(jobs.c.ordinal, chunks.c.number)
    )


def list_parts(job_id: str, series: Series | None, chunk: int | None) -> Select[Any]:
    """Parts in the order in which they were written."""
    found = select(parts).where(parts.c.job == job_id)
    if series is not None:
        found = found.where(parts.c.series == series.value)
    if chunk is not None:
        found = found.where(parts.c.chunk == chunk)
    return found.order_by(parts.c.chunk, parts.c.ordinal)


# ---- deliveries, backlog ----


def list_deliveries(job_id: str | None, state: str | None, tenant: str | None, most: int) -> Select[Any]:
    """Deliveries, oldest first."""
    found = select(deliveries)
    for column, wanted in ((deliveries.c.job, job_id), (deliveries.c.state, state), (deliveries.c.tenant, tenant)):
        if wanted is not None:
            found = found.where(column == wanted)
    return found.order_by(deliveries.c.created_at, deliveries.c.id).limit(most)


def backlog() -> Select[Any]:
    """Open chunks, pending and dead deliveries, and when the oldest open job was made."""

    def deliveries_that_are(state: str) -> ScalarSelect[int]:
        return select(func.count()).where(deliveries.c.state == state).scalar_subquery()

    return select(
        select(func.count()).where(~chunks.c.closed).select_from(chunks).scalar_subquery(),
        deliveries_that_are("pending"),
        deliveries_that_are("dead"),
        select(func.min(jobs.c.created_at)).where(jobs.c.state.not_in(_FINAL)).scalar_subquery(),
    )
