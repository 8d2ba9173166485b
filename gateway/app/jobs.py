"""The jobs of a gateway: their store opened, their engine wired, their places made. Imported only where there are jobs.

What belongs together is made in this order: store and queue, the engine's wiring, what clients ask (desk and shelf), what runs.
"""

import asyncio
import os
import random
import time
from collections.abc import Callable

from gateway.admin.jobs import JobPages
from gateway.batch.job import Job, JobKind
from gateway.callbacks.guard import Guard
from gateway.callbacks.posting import CallbackPoster
from gateway.config.jobs import JobSettings, QuotaSettings
from gateway.config.settings import Settings
from gateway.dialects.native_jobs import path_of
from gateway.dialects.registry import DIALECTS
from gateway.execution.engine import Engine
from gateway.jobs.clients import Client, Clients
from gateway.jobs.desk import Desk
from gateway.jobs.ending.delivery import Attempt, Deliveries
from gateway.jobs.kind import LineFormat
from gateway.jobs.ports import Backlog, StorageError, Task
from gateway.jobs.runner import Runner
from gateway.jobs.running.chunks import HandedBack
from gateway.jobs.running.envelope import Envelopes
from gateway.jobs.running.share import Share
from gateway.jobs.shelf import Shelf
from gateway.jobs.wiring import Flushed, Wiring
from gateway.logs import Logs
from gateway.metrics import JobMetrics
from gateway.places.batches import Batches
from gateway.places.deferred import DeferredBatches
from gateway.places.ivvy import make_ivvy_places
from gateway.places.ivvy_lines import IvvyLines
from gateway.places.jobs import make_job_places
from gateway.places.openai import make_openai_places
from gateway.places.openai_lines import OpenAILines
from gateway.places.place import Place, Places
from gateway.storage.opening import Storage, open_storage
from gateway.storage.queue import LocalQueue

_BATCH = "/batch"
"""The path at which native batches may be left to run later."""


async def open_store(settings: JobSettings) -> Storage:
    """The store that the settings name. Raises StorageError."""
    return await open_storage(settings.data, os.urandom)


class Jobs:
    """All there is to jobs in one gateway. Start it, stop it, close it, inside an event loop.

    `pages` are for operators; `stop` begins an orderly end, for which `close` waits.
    """

    def __init__(
        self, settings: Settings, storage: Storage, logs: Logs, engine: Engine, is_left_alone: Callable[[str], bool]
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._logs = logs
        self._engine = engine
        self._stopping: asyncio.Task[None] | None = None
        chosen = settings.jobs
        self.metrics = JobMetrics(self._read_backlog, time.monotonic)
        queue = LocalQueue(chosen.chunks, time.time, time.monotonic, random.random, self._report_retry)
        self._catalog = None
        if settings.dialects.ivvy.catalog is not None:
            self._catalog = settings.catalogs[settings.dialects.ivvy.catalog].make_catalog(settings.make_template_rules())
        formats: dict[JobKind, LineFormat] = {
            JobKind.OPENAI: OpenAILines(engine.routes, engine.rules, chosen.lines),
            JobKind.IVVY: IvvyLines(self._catalog),
        }
        self._wiring = wiring = Wiring(
            storage.records,
            storage.files,
            queue,
            engine,
            chosen,
            formats,
            {name: one.jobs.concurrency or max(1, one.connections // 2) for name, one in settings.upstreams.items()},
            frozenset(name for name, one in settings.upstreams.items() if one.jobs.idempotency_key),
            time.time,
            os.urandom,
            is_left_alone,
            report=self._count_flush,
        )
        self._clients = Clients(settings.clients, chosen.auth == "keys")
        self._guard = Guard(chosen.callbacks)
        self._poster = CallbackPoster(chosen.callbacks, settings.clients, self._guard, time.time)
        deliveries = Deliveries(
            storage.records,
            storage.files,
            queue,
            self._poster,
            chosen.callbacks,
            _where,
            time.time,
            random.random,
            self._report_attempt,
            wiring.drain,
        )
        self._desk = Desk(wiring, deliveries)
        self._shelf = Shelf(wiring)
        share = Share(chosen, wiring.upstream_shares, lambda: bool(engine.runs), time.monotonic)
        self._runner = Runner(wiring, self._clients, share, Envelopes(wiring, share, DIALECTS[_BATCH]), deliveries)
        self.pages = JobPages(storage.records, self._desk, self._shelf, self._own, time.time)

    def add_places(self, places: Places) -> dict[str, dict[str, Place]]:
        """`places` and those of jobs; a native batch may be left to run later."""
        settings, chosen = self._settings, self._settings.jobs
        added = {path: dict(methods) for path, methods in places.items()}
        spoken = settings.dialects
        if self._catalog is not None or not settings.server.only_stored:
            added |= make_ivvy_places(
                spoken.ivvy,
                chosen,
                self._clients,
                self._desk,
                self._guard.check_callback,
                self._catalog,
                self._engine,
                time.time,
            )
        if settings.server.only_stored:
            return added
        if spoken.openai.enabled:
            engine = self._engine
            added |= make_openai_places(
                spoken.openai, chosen, self._clients, self._desk, self._shelf, engine.routes, engine.rules
            )
        added[_BATCH]["POST"] = DeferredBatches(
            added[_BATCH]["POST"],
            Batches(DIALECTS[_BATCH], self._engine),
            self._desk,
            self._clients,
            chosen.timeout,
            chosen.auth == "keys",
        )
        heartbeat = settings.server.heartbeat
        return added | make_job_places(self._desk, self._clients, heartbeat, is_draining=lambda: self._stopping is not None)

    async def start(self) -> None:
        """Go on with everything that is unfinished. Raises StorageError."""
        await self._runner.start()

    def stop(self) -> None:
        """Send nothing new; what is in flight has as long as live batches have."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._runner.stop(self._settings.server.shutdown_timeout))

    async def close(self, patience: float) -> None:
        """Wait until all is at rest and safe, and close the store. Without `patience` nothing in flight is waited for."""
        self.stop()
        if not patience:
            self._wiring.drain.cut()
        if self._stopping is not None:
            await self._stopping
        await self._poster.close()
        await self._storage.close()

    def _own(self, tenant: str) -> Client:
        """The client of a tenant, also of one that the configuration has no longer."""
        return self._clients.by_name.get(tenant, Client(tenant, QuotaSettings()))

    async def _read_backlog(self) -> Backlog | None:
        try:
            async with self._storage.records.begin() as tx:
                return await tx.tally(time.time())
        except StorageError as error:
            self._logs.warning("backlog-unknown", detail=str(error))
            return None

    def _count_flush(self, flushed: Flushed) -> None:
        self.metrics.lines(flushed.kind, flushed.succeeded, flushed.failed, flushed.unsent)
        self.metrics.flush(flushed.seconds)

    def _report_retry(self, task: Task, error: BaseException) -> None:
        if isinstance(error, HandedBack):  # the orderly stop: the next start goes on with it
            return
        detail = str(error) or type(error).__name__
        if isinstance(error, StorageError):
            self._logs.warning("job-task-failed", task=task.kind.value, key=task.key, detail=detail)
        else:
            self._logs.error("bug", bug=error, task=task.kind.value, key=task.key)

    def _report_attempt(self, attempt: Attempt) -> None:
        delivery, posted = attempt
        self.metrics.callback(delivery.state)
        log = self._logs.info if delivery.state == "delivered" else self._logs.warning
        log(
            "callback",
            state=delivery.state,
            job=delivery.job,
            webhook_id=delivery.id,
            attempt=delivery.attempts,
            status=posted.status,
            detail=posted.error,
        )


def _where(job: Job) -> str | None:
    return f"{path_of(job.id)}/results" if job.kind is JobKind.NATIVE else None
