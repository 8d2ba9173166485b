"""Settings in, a gateway that runs out."""

import asyncio
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gateway.admin.edge import AdminEdge, find_nothing
from gateway.admin.health import States
from gateway.admin.lag import LoopLag
from gateway.app.listening import Addresses, listen
from gateway.app.places import make_places
from gateway.config.settings import LogSettings, Settings
from gateway.execution.budget import Budget
from gateway.execution.engine import Engine
from gateway.logs import LineWriter, Logs
from gateway.messages import Reason
from gateway.metrics import Metrics, Readings, UpstreamState
from gateway.server.context import Trust
from gateway.server.edge import PublicEdge
from gateway.server.report import make_report
from gateway.server.settings import EdgeSettings, Patience
from gateway.server.visit import Wiring
from gateway.upstreams.stack import Upstreams

if TYPE_CHECKING:
    from gateway.app.jobs import Jobs

GOODBYE = 5.0
"""Seconds for the last answers to reach their clients."""


def open_logs(settings: LogSettings, turn: int | None = None, **fields: object) -> Logs:
    """The log on standard output, with `fields` in every line. `turn` where other processes write there: see LineWriter."""
    text = settings.format == "text" or (settings.format == "auto" and sys.stdout.isatty())
    return Logs(LineWriter(sys.stdout.fileno(), turn=turn), settings.level, text, fields)


async def open_app(settings: Settings, logs: Logs) -> "App":
    """A gateway to be started, with its jobs if it has any. Raises StorageError."""
    if not settings.jobs.enabled:
        return App(settings, logs)
    from gateway.app.jobs import Jobs, open_store  # noqa: PLC0415 - a database's 25 MiB are for those who have jobs

    return App(settings, logs, partial(Jobs, settings, await open_store(settings.jobs), logs))


class App:
    """One gateway. Start it (or let it join others), drain it, close it, in that order and inside an event loop.

    `add_jobs` gives it jobs, which run through its engine.
    """

    def __init__(
        self, settings: Settings, logs: Logs, add_jobs: "Callable[[Engine, Callable[[str], bool]], Jobs] | None" = None
    ) -> None:
        clock = time.monotonic  # what event loops count in; uvloop's own time() is rounded to milliseconds
        limits = settings.limits
        self._settings = settings
        self._logs = logs
        self._lag = LoopLag()
        self._upstreams = Upstreams(settings.upstreams, limits.response, clock)
        self._engine = Engine(
            self._upstreams.send,
            settings.route_table(),
            settings.make_rules(),
            clock,
            Budget(limits.buffered),
            send_then=self._upstreams.send_then,
        )
        self._jobs = None if add_jobs is None else add_jobs(self._engine, self._upstreams.is_left_alone)
        places = make_places(settings, self._engine, None if self._jobs is None else self._jobs.add_places)
        self.metrics = metrics = Metrics(places, settings.upstreams)
        if self._jobs is not None:
            metrics.show_jobs(self._jobs.metrics)
        self._public = PublicEdge(Wiring(places, self._engine.budget, make_report(metrics, logs), _edge_settings(settings)))
        metrics.read(
            Readings(
                in_flight=lambda: self._public.serving,
                buffered=lambda: self._engine.budget.held,
                loop_lag=self._lag.worst,
                log_lines_dropped=lambda: logs.dropped,
                upstreams=self._look_at_upstreams,
            )
        )
        self._admin = AdminEdge(
            settings.server.name,
            metrics.page(),
            live=self._look_alive,
            ready=self._look_ready,
            started=self._look_started,
            find_more=find_nothing if self._jobs is None else self._jobs.pages.find,
        )

    async def start(self) -> Addresses:
        """Listen. Raises CannotListen."""
        await self._make_ready()
        admin = await listen("admin", self._admin.listen, self._settings.admin)
        public = await listen("server", self._public.listen, self._settings.server)
        if self._jobs is not None:
            await self._jobs.start()
        return Addresses(public, admin)

    async def join(self) -> None:
        """Listen on the public port only, together with other processes. Raises CannotListen."""
        await self._make_ready()
        await listen("server", partial(self._public.listen, shared=True), self._settings.server)

    async def _make_ready(self) -> None:
        self._lag.start()
        await self._upstreams.start()

    def states(self) -> States:
        """What must hold for batches to be sent here."""
        return {
            "listening": self._public.is_listening,
            "not-draining": not self._public.draining,
            "not-overloaded": not self._engine.budget.is_nearly_spent(),
        }

    async def _look_alive(self) -> States:
        return {"event-loop": True}

    async def _look_ready(self) -> States:
        return self.states()

    async def _look_started(self) -> States:
        return {"listening": self._public.is_listening}

    async def drain(self) -> None:
        """Say so, go on for a while, take no more, and finish what is in flight, in the end by force."""
        server = self._settings.server
        self._public.drain()
        if self._jobs is not None:
            self._jobs.stop()
        self._logs.info("draining", drain_delay=server.drain_delay, in_flight=self._public.serving)
        await asyncio.sleep(server.drain_delay)
        await self._public.stop_listening()
        self._logs.info("stopped-listening", shutdown_timeout=server.shutdown_timeout, in_flight=self._public.serving)
        if await self._public.wait_until_quiet(server.shutdown_timeout):
            return
        self._logs.warning("ending-batches", in_flight=self._public.serving)
        for run in tuple(self._engine.runs):
            run.finish_now(Reason.SHUTTING_DOWN, "the gateway is shutting down")
        await self._public.wait_until_quiet(GOODBYE)

    async def close(self, patience: float) -> None:
        """End everything; clients have `patience` seconds to take the rest of their answers."""
        await self._public.close(patience)
        if self._jobs is not None:
            await self._jobs.close(patience)
        await self._upstreams.close()
        await self._admin.close()
        self._lag.stop()

    def _look_at_upstreams(self) -> list[UpstreamState]:
        return [
            UpstreamState(
                upstream=name,
                in_flight=gauges.in_flight,
                connections={"busy": gauges.busy, "idle": gauges.idle},
                retries={reason.value: count for reason, count in gauges.retries.items()},
                circuit=gauges.circuit.value,
            )
            for name, gauges in self._upstreams.gauges().items()
        ]


def _edge_settings(settings: Settings) -> EdgeSettings:
    limits = settings.limits
    return EdgeSettings(
        Trust(settings.server.name, settings.server.trusted_proxies),
        limits.body,
        Patience(
            limits.connections, limits.header_timeout, limits.body_timeout, limits.write_timeout, limits.keepalive_timeout
        ),
    )
