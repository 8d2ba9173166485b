"""The tables of records. Times are seconds since 1970; results and inputs are objects elsewhere, never in here.

`migrations/` makes them; a test holds the two together. Portable between SQLite and PostgreSQL.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

records = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

files = Table(
    "files",
    records,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("filename", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("key", String, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, index=True),
    Index(None, "tenant", "id"),
)

jobs = Table(
    "jobs",
    records,
    Column("id", String, primary_key=True),
    # The end of the id, which sorts by time whatever the kind of job.
    Column("ordinal", String, nullable=False, index=True),
    Column("tenant", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("state", String, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("spec", LargeBinary, nullable=False),
    Column("asker", LargeBinary, nullable=False),
    Column("on_interrupt", String, nullable=False),
    Column("input_file", String, index=True),
    Column("lines", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("ending", String),
    Column("problems", Text, nullable=False),
    Column("results", String),
    Column("errors", String),
    Column("reached", Text, nullable=False),
    Column("callback_url", Text),
    Column("keep_until", Double, index=True),
    Index(None, "tenant", "ordinal"),
    Index(None, "state", "ordinal"),
)
"""A job has no counts of its own: they are the sums over its chunks."""

chunks = Table(
    "chunks",
    records,
    Column("job", String, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("first_line", Integer, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("leases", Integer, nullable=False),
    Column("token", String, nullable=False),
    Column("closed", Boolean, nullable=False),
    Column("succeeded", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    # When somebody last showed to work on it.
    Column("touched_at", Double, nullable=False),
    Index(None, "closed", "touched_at"),
)

parts = Table(
    "parts",
    records,
    Column("job", String, primary_key=True),
    Column("chunk", Integer, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("series", String, nullable=False),
    Column("key", String, nullable=False),
    # JSON: line, size, line, size …
    Column("index", Text, nullable=False),
    ForeignKeyConstraint(["job", "chunk"], ["chunks.job", "chunks.number"], ondelete="CASCADE"),
)

intents = Table(
    "intents",
    records,
    # A log: the rows of a chunk are read in the order they were written in.
    Column("id", Integer, primary_key=True),
    Column("job", String, nullable=False),
    Column("chunk", Integer, nullable=False),
    # JSON: the lines that are about to be sent, or (without `is_on`) will not be sent after all.
    Column("lines", Text, nullable=False),
    Column("is_on", Boolean, nullable=False),
    ForeignKeyConstraint(["job", "chunk"], ["chunks.job", "chunks.number"], ondelete="CASCADE"),
    Index(None, "job", "chunk"),
)

deliveries = Table(
    "deliveries",
    records,
    Column("id", String, primary_key=True),
    Column("job", String, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("tenant", String, nullable=False),
    Column("url", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", Double, nullable=False),
    Column("last_status", Integer),
    Column("last_error", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Index(None, "state", "created_at"),
)
