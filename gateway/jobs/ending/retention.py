"""Removing what is kept no longer, and what nobody knows of: objects whose record was never made, or is gone.

Records go first: an object without a record is found again, a record without its object would be a lie.
"""

from collections.abc import AsyncIterator

from gateway.batch.job import Job
from gateway.jobs.keys import FILES, JOBS, file_of, folder_of, results_of
from gateway.jobs.ports import Task, TaskKind
from gateway.jobs.wiring import Wiring

EVERY = 3600.0
"""Seconds from one cleaning to the next."""

ORPHANED = 86_400.0
"""Seconds that an object without a record stays: it may be on its way to one."""

_AT_ONCE = 100


class Cleaning:
    """Cleans for one process. An object is taken for an orphan only if it was one at the cleaning before, too: the clock may
    have been set forward while it was on its way to a record."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._suspects: frozenset[str] = frozenset()

    async def run(self, job_id: str) -> None:
        """Remove what a final job needs no more; without a job, all that is kept no longer, and come again."""
        if job_id:
            await self._clean_job(job_id)
            return
        await self._remove_expired_files()
        await self._forget_jobs()
        suspects = [key async for key in self._orphans_of_jobs()] + [key async for key in self._orphans_of_files()]
        await self._wiring.files.remove([key for key in suspects if key in self._suspects])
        self._suspects = frozenset(suspects)
        async with self._wiring.records.begin() as tx:
            await self._wiring.queue.put(tx, [Task(TaskKind.CLEAN, "", self._wiring.now() + EVERY)])

    async def _remove_expired_files(self) -> None:
        while True:
            async with self._wiring.records.begin() as tx:
                expired = await tx.expired_files(self._wiring.now(), _AT_ONCE)
                for file in expired:
                    await tx.remove_file(file.id)
            await self._wiring.files.remove([file.key for file in expired])
            if len(expired) < _AT_ONCE:
                return

    async def _forget_jobs(self) -> None:
        while True:
            async with self._wiring.records.begin() as tx:
                jobs = await tx.jobs_to_forget(self._wiring.now(), _AT_ONCE)
                for job in jobs:
                    await tx.remove_job(job.id)
            for job in jobs:
                await self._wiring.files.remove([key async for key, _ in self._wiring.files.list(folder_of(job.id))])
            if len(jobs) < _AT_ONCE:
                return

    async def _clean_job(self, job_id: str) -> None:
        async with self._wiring.records.begin() as tx:
            job = await tx.find_job(job_id)
            if job is None or not job.is_final:
                return
            await tx.drop_parts(job_id)
        keys = [key async for key, _ in self._wiring.files.list(folder_of(job_id)) if key != results_of(job_id)]
        await self._wiring.files.remove(keys)

    async def _orphans_of_jobs(self) -> AsyncIterator[str]:
        """Objects of jobs nobody knows. On the way, those that are final lose what they need no more."""
        before = self._wiring.now() - ORPHANED
        for job_id, keys in (await self._folders()).items():
            async with self._wiring.records.begin() as tx:
                job = await tx.find_job(job_id)
            if job is None:
                for key, written in keys.items():
                    if written < before:
                        yield key
            elif _is_long_final(job, self._wiring.now()) and keys.keys() != {results_of(job_id)}:
                await self._clean_job(job_id)

    async def _folders(self) -> dict[str, dict[str, float]]:
        """The keys of each job that has objects, by its id, and when they were written."""
        found: dict[str, dict[str, float]] = {}
        async for key, written in self._wiring.files.list(JOBS):
            found.setdefault(key.split("/")[1], {})[key] = written
        return found

    async def _orphans_of_files(self) -> AsyncIterator[str]:
        before = self._wiring.now() - ORPHANED
        async for key, written in self._wiring.files.list(FILES):
            if written < before:
                async with self._wiring.records.begin() as tx:
                    file = await tx.find_file(key.removeprefix(file_of("")))
                if file is None:
                    yield key


def _is_long_final(job: Job, now: float) -> bool:
    return job.is_final and max(job.reached.values(), default=job.created_at) < now - EVERY
