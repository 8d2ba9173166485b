"""Moving a job to another state."""

from collections.abc import Mapping

from gateway.batch.job import Chunk, Ending, Job, JobKind, LineProblem, State
from gateway.config.jobs import RetentionSettings
from gateway.jobs.ending.delivery import make_task, plan
from gateway.jobs.ports import Queue, Task, TaskKind, Transaction
from gateway.jobs.wiring import Wiring
from gateway.messages import Failure, Reason

UNFINISHED = frozenset({State.VALIDATING, State.IN_PROGRESS, State.FINALIZING, State.CANCELLING})

PARTS_STAY = 60.0
"""Seconds that the parts of a final job stay: somebody may still be putting them together a second time."""


ENDED = {
    Ending.CANCELLED: Failure(Reason.JOB_CANCELLED, "the job was cancelled before this was sent"),
    Ending.EXPIRED: Failure(Reason.JOB_EXPIRED, "the job ran out of time before this was sent"),
}
"""What becomes of a line that a job ends before."""

INPUT_GONE = LineProblem("invalid_request", "The input of this batch is gone.", "file_id")


def reach(job: Job, state: State, now: float) -> Mapping[State, float]:
    """When the job reached its states, if it reaches one now. Time never runs backwards there, whatever the clock does."""
    return {**job.reached, state: max([now, job.created_at, *job.reached.values()])}


def final_state(job: Job) -> State | None:
    """What a job becomes whose chunks are all closed; None if that is not for now."""
    match job.state:
        case State.FINALIZING:
            return State.COMPLETED
        case State.CANCELLING:
            return State.CANCELLED
        case State.IN_PROGRESS if job.ending is Ending.EXPIRED:
            return State.EXPIRED
        case _:
            return None


async def finish(
    tx: Transaction, queue: Queue, job: Job, state: State, now: float, retention: RetentionSettings, **changes: object
) -> Job | None:
    """Make a job final, plan its callback and the removal of what it needs no more. None if its state has changed."""
    kept = retention.files if job.kind is JobKind.OPENAI else retention.results
    reached = reach(job, state, now)
    changes |= {"state": state, "reached": reached, "asker": b"", "keep_until": now + kept}
    ended = await tx.change_job(job.id, frozenset({job.state}), **changes)
    if ended is None:
        return None
    tasks = [Task(TaskKind.CLEAN, job.id, now + PARTS_STAY)]
    delivery = plan(ended, now)
    if delivery is not None:
        await tx.add_delivery(delivery)
        tasks.append(make_task(delivery))
    await queue.put(tx, tasks)
    return ended


async def give_up(wiring: Wiring, tx: Transaction, job: Job, problems: tuple[LineProblem, ...]) -> None:
    """End a job that cannot go on, without results; one that is being cancelled is cancelled."""
    state = State.CANCELLED if job.state is State.CANCELLING else State.FAILED
    await finish(tx, wiring.queue, job, state, wiring.now(), wiring.settings.retention, problems=problems)


async def fail(wiring: Wiring, chunk: Chunk, problems: tuple[LineProblem, ...]) -> None:
    """End the job of a leased chunk for what is wrong with its input."""
    async with wiring.records.begin() as tx:
        held = await tx.holds(chunk.job, chunk.number, chunk.token, wiring.now())
        job = None if held is None else await tx.find_job(chunk.job, counted=False)
        if job is not None:
            await give_up(wiring, tx, job, problems)
