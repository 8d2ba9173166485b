"""The statements of every chunk, flush and question about a job, made once: to make one costs as much as to execute it.

Each stands beside the names of its parameters, which begin with `p_`.
"""

from sqlalchemy import BindParameter, bindparam, delete, func, insert, select, update

from gateway.batch.job import RUNNING
from gateway.storage.statements import COUNTED
from gateway.storage.tables import chunks, intents, jobs, parts

_JOB: BindParameter[str] = bindparam("p_job")
_NUMBER: BindParameter[int] = bindparam("p_number")
_CHUNK = (chunks.c.job == _JOB, chunks.c.number == _NUMBER)

FIND_JOB = select(*COUNTED).where(jobs.c.id == _JOB)
"""A job with its counts. p_job."""

FIND_UNCOUNTED = select(jobs).where(jobs.c.id == _JOB)
"""A job without its counts. p_job."""

LEASE = (
    update(chunks)
    .where(*_CHUNK, ~chunks.c.closed)
    .values(
        token=bindparam("p_token"), attempts=chunks.c.attempts + 1, leases=chunks.c.leases + 1, touched_at=bindparam("p_now")
    )
    .returning(chunks)
)
"""Give an open chunk to a token. p_job, p_number, p_token, p_now."""

HELD = (
    select(jobs.c.ending, chunks.c.touched_at)
    .join(chunks)
    .where(
        jobs.c.id == _JOB,
        jobs.c.state.in_(sorted(RUNNING)),
        chunks.c.number == _NUMBER,
        chunks.c.token == bindparam("p_token"),
        ~chunks.c.closed,
    )
)
"""How the running job is to end of a chunk that is the token's, and when the chunk was touched. p_job, p_number, p_token."""

TOUCH = update(chunks).where(*_CHUNK).values(touched_at=bindparam("p_now"))
"""Note that somebody works on a chunk. p_job, p_number, p_now."""

COUNT_LINES = (
    update(chunks)
    .where(*_CHUNK)
    .values(
        succeeded=chunks.c.succeeded + bindparam("p_succeeded"),
        failed=chunks.c.failed + bindparam("p_failed"),
        attempts=0,
    )
)
"""Add to the counts of a chunk, which gets on. p_job, p_number, p_succeeded, p_failed."""

ADD_PART = insert(parts).values(
    job=_JOB,
    chunk=_NUMBER,
    ordinal=select(func.count()).where(parts.c.job == _JOB, parts.c.chunk == _NUMBER).scalar_subquery(),
    series=bindparam("p_series"),
    key=bindparam("p_key"),
    index=bindparam("p_index"),
)
"""Add a part after those of its chunk. p_job, p_number, p_series, p_key, p_index."""

PARTS = select(parts).where(parts.c.job == _JOB, parts.c.chunk == _NUMBER).order_by(parts.c.ordinal)
"""The parts of a chunk in the order in which they were written. p_job, p_number."""

INTENTS = (
    select(intents.c.lines, intents.c.is_on).where(intents.c.job == _JOB, intents.c.chunk == _NUMBER).order_by(intents.c.id)
)
"""What was noted of a chunk's lines, in order. p_job, p_number."""

NOTE_INTENTS = insert(intents).values(job=_JOB, chunk=_NUMBER, lines=bindparam("p_lines"), is_on=bindparam("p_is_on"))
"""Note something of lines. p_job, p_number, p_lines, p_is_on."""

DROP_INTENTS = delete(intents).where(intents.c.job == _JOB, intents.c.chunk == _NUMBER)
"""Forget what was noted. p_job, p_number."""

FORGIVE = update(chunks).where(*_CHUNK).values(attempts=0)
"""Let no attempt count. p_job, p_number."""

LOCK_JOB = select(jobs.c.id).where(jobs.c.id == _JOB).with_for_update()
"""Let nobody else close a chunk of the job meanwhile. p_job."""

CLOSE = update(chunks).where(*_CHUNK).values(closed=True)
"""Close a chunk. p_job, p_number."""

LEFT = select(func.count()).where(chunks.c.job == _JOB, ~chunks.c.closed)
"""How many chunks of a job are open. p_job."""
