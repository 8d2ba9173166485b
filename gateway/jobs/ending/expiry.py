"""Ending a job whose time is over."""

from gateway.batch.job import Ending, State
from gateway.jobs.ending.states import finish
from gateway.jobs.ports import Task, TaskKind
from gateway.jobs.wiring import Wiring


async def expire(wiring: Wiring, job_id: str) -> None:
    """Have its chunks end, or end it at once if it has none yet. Not before its time, whatever the queue says.

    A job that is being cancelled or finalised goes on to its own end.
    """
    async with wiring.records.begin() as tx:
        now = wiring.now()
        job = await tx.find_job(job_id)
        if job is None or job.is_final:
            return
        if now < job.expires_at:
            await wiring.queue.put(tx, [Task(TaskKind.EXPIRE, job_id, job.expires_at)])
        elif job.state is State.VALIDATING:
            await finish(tx, wiring.queue, job, State.EXPIRED, now, wiring.settings.retention, ending=Ending.EXPIRED)
        elif job.state is State.IN_PROGRESS and job.ending is None:
            await tx.change_job(job_id, frozenset({State.IN_PROGRESS}), ending=Ending.EXPIRED)
