"""A batch that runs later, as values: the job, the states it passes through, its lines, chunks and parts."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from gateway.jsontext import Record


class JobKind(StrEnum):
    """Who asked for the job, and so what its lines are."""

    OPENAI = "openai"
    IVVY = "ivvy"
    NATIVE = "native"


class State(StrEnum):
    """Where a job stands. The words are those of the OpenAI Batch API."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


NEXT: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.VALIDATING: frozenset({State.IN_PROGRESS, State.FAILED, State.CANCELLING, State.EXPIRED}),
        State.IN_PROGRESS: frozenset({State.FINALIZING, State.FAILED, State.CANCELLING, State.EXPIRED}),
        State.FINALIZING: frozenset({State.COMPLETED, State.FAILED}),
        State.CANCELLING: frozenset({State.CANCELLED}),
        State.COMPLETED: frozenset(),
        State.FAILED: frozenset(),
        State.CANCELLED: frozenset(),
        State.EXPIRED: frozenset(),
    }
)
"""What may follow each state. A job that is finalizing has run all its lines: it can neither be cancelled nor expire, and it
fails only if somebody took its results away."""

FINAL = frozenset([state for state, following in NEXT.items() if not following])
"""The states in which nothing happens any more."""

RUNNING = frozenset({State.IN_PROGRESS, State.CANCELLING})
"""The states in which its chunks are worked on. Those of a job that is cancelled or has expired end without being sent."""


class Ending(StrEnum):
    """Why a job ends before all its lines were sent. A job that has one sends nothing new."""

    CANCELLED = "cancelled"
    EXPIRED = "expired"


class OnInterrupt(StrEnum):
    """What becomes of a request that was in flight when the gateway was killed: nobody knows whether it was processed."""

    AUTO = "auto"
    """Resend what is idempotent by its method or carries an Idempotency-Key, fail the rest."""
    RESEND = "resend"
    FAIL = "fail"


class LineProblem(Record, frozen=True):
    """What is wrong with a line of the input. `line` counts from 1, `code` and `param` are the dialect's words."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None


class Job(Record, frozen=True):
    """A batch run later. Times are seconds since 1970.

    `spec` is JSON text, what its dialect wants to know of it later; `asker` is JSON text too, what its requests carry because
    of who asked, and empty once it has ended. `lines` is 0 until they have been counted. `succeeded` and `failed` count the
    lines that were sent, as far as their results are safe. `reached` has the time at which each state began. `ending` is set
    before the state says so, and then its chunks stop. `results` and `errors` are the ids of files, both set when the state
    becomes final; `results` alone is a key of the file store, for a job whose results are one document.
    """

    id: str
    tenant: str
    kind: JobKind
    state: State
    created_at: float
    expires_at: float
    spec: bytes
    asker: bytes = b""
    on_interrupt: OnInterrupt = OnInterrupt.AUTO
    input_file: str | None = None
    lines: int = 0
    chunks: int = 0
    succeeded: int = 0
    failed: int = 0
    ending: Ending | None = None
    problems: tuple[LineProblem, ...] = ()
    results: str | None = None
    errors: str | None = None
    reached: Mapping[State, float] = MappingProxyType({})
    callback_url: str | None = None
    keep_until: float | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing happens to it any more."""
        return self.state in FINAL


class StoredFile(Record, frozen=True):
    """A file a client put here, or results made for it. `key` is where the file store has it, `size` is in bytes."""

    id: str
    tenant: str
    purpose: str
    filename: str
    size: int
    key: str
    created_at: float
    expires_at: float | None = None


class Chunk(Record, frozen=True):
    """A slice of a job's lines: `lines` of them from `first_line` (from 0, blank ones not counted), which are `size` bytes of
    the input from `start`.

    `token` is the fencing token of who works on it: a flush under another one changes nothing. `attempts` counts the leases
    since something of it was made safe, `leases` all of them.
    """

    job: str
    number: int
    first_line: int
    lines: int
    start: int
    size: int
    attempts: int = 0
    token: str = ""
    leases: int = 0


class Series(StrEnum):
    """What a part holds."""

    RESULTS = "results"
    ERRORS = "errors"
    JOURNAL = "journal"
    """Outcomes of single requests, by which a batch with references goes on after a crash."""


class Part(Record, frozen=True):
    """A durable piece of a chunk's results: one object in the file store, one record for each line in it.

    `index` has (line, bytes of its record) in the order in which they stand in the object; separators count as the record's.
    """

    job: str
    chunk: int
    series: Series
    key: str
    index: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """Bytes of the object."""
        return sum([size for _, size in self.index])


class Delivery(Record, frozen=True):
    """A callback to be made: a POST of a job's results. `attempts` have been made, the next is due at `due`.

    `state` is pending, delivered or dead. `id` is the webhook-id, the same in every attempt.
    """

    id: str
    job: str
    tenant: str
    url: str
    state: str = "pending"
    attempts: int = 0
    due: float = 0.0
    last_status: int | None = None
    last_error: str = ""
    created_at: float = 0.0
