"""What jobs need of the world: a store of records, a store of files, a queue, a clock.

The rooms `storage` and `callbacks` fill these in. Everything raises StorageError if it cannot do what is asked, and then
nothing was changed.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import NamedTuple, Protocol

from gateway.batch.job import Chunk, Delivery, Ending, Job, JobKind, Part, Series, State, StoredFile


class StorageError(Exception):
    """The store does not work. `is_full`: there is no room left."""

    def __init__(self, message: str, is_full: bool = False) -> None:
        super().__init__(message)
        self.is_full = is_full


class NoSuchObject(StorageError):
    """There is no object under that key."""


# ---- files ----


class Writer(Protocol):
    """An object being written, which nobody can see yet."""

    async def write(self, piece: bytes) -> None:
        """Add to it."""


class Files(Protocol):
    """Objects by key (`/` separates folders): written once, as a whole, and there for good when the call returns."""

    async def put(self, key: str, content: bytes) -> None:
        """Write an object; one with this key is replaced."""

    def open(self, key: str) -> AbstractAsyncContextManager[Writer]:
        """Write an object piece by piece. It is there, and durable, when the block ends; after an exception it never was."""

    async def read(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        """The bytes from `start`, `size` of them or all. Raises NoSuchObject."""

    def stream(self, key: str) -> AsyncIterator[bytes]:
        """All bytes, piece by piece. Raises NoSuchObject."""

    async def size(self, key: str) -> int:
        """How many bytes it has. Raises NoSuchObject."""

    async def remove(self, keys: Sequence[str]) -> None:
        """Remove objects. Those that are not there are none the less gone."""

    def list(self, prefix: str) -> AsyncIterator[tuple[str, float]]:
        """The keys below a prefix (whole folders), each with the time it was written at."""


# ---- records ----


class Page(NamedTuple):
    """Which of many records: at most `limit` of them, those that follow the one with the id `after`."""

    limit: int
    after: str | None = None
    newest_first: bool = True


class Usage(NamedTuple):
    """What a tenant keeps here: bytes of files, jobs that are not final, lines of those."""

    stored: int
    jobs: int
    lines: int


class Transaction(Protocol):
    """Reads and changes that all happen, or none of them. Ids sort by the time they were made at."""

    # files
    async def add_file(self, file: StoredFile) -> None:
        """Add one."""

    async def find_file(self, file_id: str, tenant: str | None = None) -> StoredFile | None:
        """The file with this id, if it is the tenant's; None means any tenant's."""

    async def list_files(self, tenant: str, purpose: str | None, page: Page) -> Sequence[StoredFile]:
        """A tenant's files."""

    async def remove_file(self, file_id: str) -> None:
        """Forget the record. The object is the caller's to remove, afterwards."""

    async def expired_files(self, now: float, most: int) -> Sequence[StoredFile]:
        """Files whose time is over, and that no job needs which is not final."""

    async def usage(self, tenant: str) -> Usage:
        """What a tenant keeps here now."""

    # jobs
    async def add_job(self, job: Job) -> None:
        """Add one."""

    async def find_job(
        self, job_id: str, tenant: str | None = None, kind: JobKind | None = None, counted: bool = True
    ) -> Job | None:
        """The job with this id, if it is the tenant's and of the kind; None means any.

        Its counts take the longer the more chunks it has: they are 0 unless `counted`.
        """

    async def list_jobs(
        self, page: Page, tenant: str | None = None, kind: JobKind | None = None, states: frozenset[State] | None = None
    ) -> Sequence[Job]:
        """Jobs, counts included."""

    async def change_job(self, job_id: str, among: frozenset[State], **changes: object) -> Job | None:
        """The job with fields of it changed, or None and no change if its state is not `among` these.

        A new `state` must be one that NEXT allows; the caller says when it was `reached`.
        """

    async def jobs_using(self, file_id: str) -> Sequence[str]:
        """Ids of the jobs that are not final and read this file."""

    async def remove_job(self, job_id: str) -> None:
        """Forget a job and its chunks, parts, intents and deliveries."""

    async def jobs_to_forget(self, now: float, most: int) -> Sequence[Job]:
        """Final jobs whose `keep_until` is over."""

    # chunks
    async def add_chunks(self, chunks: Sequence[Chunk]) -> None:
        """Add the chunks of a job, none of which is leased."""

    async def lease(self, job_id: str, number: int, token: str, now: float) -> Chunk | None:
        """The chunk, from now on this token's and no other's, one attempt more; None if it is closed or not there."""

    async def holds(self, job_id: str, number: int, token: str, now: float) -> "Held | None":
        """What became of the running job of a chunk that is still this token's, or None. It also shows that somebody works on
        it."""

    async def add_part(self, part: Part, succeeded: int, failed: int) -> None:
        """Add a part and count its lines; the chunk gets on, so its `attempts` are 0. `holds` comes first, in the same
        transaction."""

    async def forgive(self, job_id: str, number: int) -> None:
        """Set the chunk's `attempts` to 0: it was given back in good order. `holds` comes first, as above."""

    async def close_chunk(self, job_id: str, number: int) -> int:
        """Close it, drop its intents; how many chunks of the job are left open."""

    async def open_chunks(self, before: float) -> Sequence[tuple[str, int]]:
        """(job, number) of the open chunks of running jobs that nobody has shown to work on since `before`."""

    async def parts(self, job_id: str, series: Series | None = None, chunk: int | None = None) -> Sequence[Part]:
        """Parts of a job, in the order (chunk, order of writing)."""

    async def drop_parts(self, job_id: str) -> None:
        """Forget them."""

    # intents
    async def add_intents(self, job_id: str, chunk: int, lines: Sequence[int]) -> None:
        """Note that these lines are about to be sent."""

    async def drop_intents(self, job_id: str, chunk: int, lines: Sequence[int]) -> None:
        """Note that these were not sent after all."""

    async def intents(self, job_id: str, chunk: int) -> frozenset[int]:
        """The lines noted."""

    # callbacks
    async def add_delivery(self, delivery: Delivery) -> None:
        """Add one."""

    async def find_delivery(self, delivery_id: str) -> Delivery | None:
        """The one with this id."""

    async def change_delivery(self, delivery_id: str, **changes: object) -> Delivery | None:
        """The delivery with fields of it changed, or None if there is none."""

    async def list_deliveries(
        self, job_id: str | None = None, state: str | None = None, tenant: str | None = None, most: int = 1000
    ) -> Sequence[Delivery]:
        """Deliveries, oldest first."""

    async def tally(self, now: float) -> "Backlog":
        """What waits, for the metrics."""


class Held(NamedTuple):
    """The job of a chunk that is held: whether it is to end, and how."""

    ending: Ending | None


class Backlog(NamedTuple):
    """What waits: jobs by (kind, state), chunks that are not closed, pending and dead deliveries, and the age in seconds of the
    oldest job that is not final, 0 if there is none."""

    jobs: dict[tuple[str, str], int]
    chunks: int
    deliveries: int
    dead: int
    oldest: float


class Records(Protocol):
    """The store of records."""

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction: kept if the block ends, dropped if it raises. Keep it short: others wait."""


# ---- queue ----


class TaskKind(StrEnum):
    """What there is to do for a key."""

    INTAKE = "intake"
    """Read the lines of a job. Key: its id."""
    CHUNK = "chunk"
    """Run a chunk. Key: JOB/NUMBER."""
    FINALISE = "finalise"
    """Make the results of a job whose chunks are closed. Key: its id."""
    EXPIRE = "expire"
    """End a job whose time is over. Key: its id."""
    DELIVER = "deliver"
    """Try a callback. Key: the delivery's id."""
    CLEAN = "clean"
    """Remove what is kept no longer. Key: empty."""


class Task(NamedTuple):
    """Something to do, not before a time (seconds since 1970). Doing it twice does nothing more."""

    kind: TaskKind
    key: str
    not_before: float = 0.0


Handle = Callable[[Task], Awaitable[None]]
"""Does a task. Returning means done; what it raises means to try again later."""


class Queue(Protocol):
    """Who does what, and when."""

    async def put(self, tx: Transaction, tasks: Sequence[Task]) -> None:
        """Add tasks, if and when the transaction is kept. One that is waiting already is not added again."""

    async def run(self, handle: Handle, stop: "Stop") -> None:
        """Have tasks done, several at a time, each at least once. After `stop`, none begins: wait for the others, return."""


class Stop(Protocol):
    """An asyncio.Event, or what looks like it."""

    def is_set(self) -> bool:
        """Whether it is time."""

    async def wait(self) -> object:
        """Wait until it is."""
