"""Putting into the queue what the store says is unfinished: at the start, and now and then, for what the queue has lost."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from gateway.batch.job import RUNNING, Job, State
from gateway.config.jobs import JobSettings
from gateway.jobs.cutting import window
from gateway.jobs.ending.delivery import PENDING, make_task
from gateway.jobs.ending.states import UNFINISHED
from gateway.jobs.ports import Page, Task, TaskKind
from gateway.jobs.running.chunks import task_of
from gateway.jobs.wiring import Wiring

EVERY = 60.0
"""Seconds between two looks."""

SILENT = 120.0
"""Seconds after which nobody works on a chunk that nobody has shown to work on."""

_AT_ONCE = 100
_MOST_DELIVERIES = 100_000


async def reconcile(wiring: Wiring, before: float) -> None:
    """Put tasks for everything unfinished into the queue; chunks only if nobody has worked on them since `before`."""
    async with wiring.records.begin() as tx:
        still = by_job(await tx.open_chunks(before))
        pending = await tx.list_deliveries(state=PENDING, most=_MOST_DELIVERIES)
        clean = Task(TaskKind.CLEAN, "", wiring.now())
        await wiring.queue.put(tx, [clean, *[make_task(delivery) for delivery in pending]])
    after = None
    while True:
        async with wiring.records.begin() as tx:
            jobs = await tx.list_jobs(Page(_AT_ONCE, after, newest_first=False), states=UNFINISHED)
            tasks = [task for job in jobs for task in tasks_of(job, still.get(job.id, ()), wiring.settings)]
            # First chunks before second ones: so jobs take turns.
            await wiring.queue.put(tx, sorted(tasks, key=lambda task: (task.kind is TaskKind.CHUNK, _number(task))))
        if len(jobs) < _AT_ONCE:
            return
        after = jobs[-1].id


def by_job(chunks: Sequence[tuple[str, int]]) -> Mapping[str, Sequence[int]]:
    """Numbers of chunks by job, in order."""
    found: dict[str, list[int]] = defaultdict(list)
    for job_id, number in sorted(chunks):
        found[job_id].append(number)
    return found


def tasks_of(job: Job, still: Sequence[int], settings: JobSettings) -> Sequence[Task]:
    """What there is to do for a job. `still` are its open chunks."""
    if job.is_final:
        return []
    tasks = [Task(TaskKind.EXPIRE, job.id, job.expires_at)]
    if job.state is State.VALIDATING:
        tasks.append(Task(TaskKind.INTAKE, job.id))
    if job.state in RUNNING:
        tasks += [task_of(job.id, number) for number in still[: window(job, settings)]]
    if job.state is not State.VALIDATING and not still:
        tasks.append(Task(TaskKind.FINALISE, job.id))
    return tasks


def _number(task: Task) -> int:
    return int(task.key.partition("/")[2] or 0)
