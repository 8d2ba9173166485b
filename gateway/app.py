"""The composition root: the only module that knows every room. Settings in, a gateway that runs out."""

import asyncio
import errno
import os
import sys
import time
from functools import partial
from typing import NamedTuple

from gateway import pipeline
from gateway.admin.edge import AdminEdge
from gateway.admin.lag import LoopLag
from gateway.batch.compile import Rules
from gateway.batch.target import TargetRules
from gateway.config.settings import AdminSettings, LogSettings, ServerSettings, Settings
from gateway.dialects.registry import DIALECTS
from gateway.execution.budget import Budget
from gateway.execution.engine import Engine
from gateway.logs import LineWriter, Logs
from gateway.messages import Reason
from gateway.metrics import Metrics, Readings, UpstreamState
from gateway.server.context import Trust
from gateway.server.edge import PublicEdge
from gateway.server.report import make_report
from gateway.server.settings import EdgeSettings, Patience
from gateway.server.visit import Ask, Wiring
from gateway.upstreams.stack import Upstreams

GOODBYE = 5.0
"""Seconds for the last answers to reach their clients."""


class CannotListen(Exception):
    """A port cannot be had. The message says which, why, and what to do."""


class Addresses(NamedTuple):
    """Where a gateway listens: URLs without a path."""

    public: str
    admin: str


def open_logs(settings: LogSettings) -> Logs:
    """The log on standard output."""
    text = settings.format == "text" or (settings.format == "auto" and sys.stdout.isatty())
    return Logs(LineWriter(sys.stdout.fileno()), settings.level, text)


class App:
    """One gateway. Start it, drain it, close it, in that order and inside an event loop."""

    def __init__(self, settings: Settings, logs: Logs) -> None:
        clock = time.monotonic  # what event loops count in; uvloop's own time() is rounded to milliseconds
        limits = settings.limits
        rules = Rules(
            limits.batch_limits(),
            TargetRules(settings.paths.encoded_slash, settings.paths.semicolon),
            settings.references.descendants,
            settings.references.filters,
        )
        self._settings = settings
        self._logs = logs
        self._lag = LoopLag()
        self._upstreams = Upstreams(settings.upstreams, limits.response, clock)
        self._engine = Engine(self._upstreams.send, settings.route_table(), rules, clock, Budget(limits.buffered))
        metrics = Metrics(DIALECTS, settings.upstreams)
        ask: Ask = partial(pipeline.answer, engine=self._engine)
        self._public = PublicEdge(
            Wiring(DIALECTS, ask, self._engine.budget, make_report(metrics, logs), _edge_settings(settings))
        )
        metrics.read(
            Readings(
                in_flight=lambda: self._public.serving,
                buffered=lambda: self._engine.budget.held,
                loop_lag=self._lag.worst,
                log_lines_dropped=lambda: logs.dropped,
                upstreams=self._look_at_upstreams,
            )
        )
        listening = {"listening": lambda: self._public.is_listening}
        self._admin = AdminEdge(
            settings.server.name,
            metrics.page(),
            live={"event-loop": lambda: True},
            started=listening,
            ready={
                **listening,
                "not-draining": lambda: not self._public.draining,
                "not-overloaded": lambda: not self._engine.budget.is_nearly_spent(),
            },
        )

    async def start(self) -> Addresses:
        """Listen. Raises CannotListen."""
        self._lag.start()
        await self._upstreams.start()
        admin = await _listen("admin", self._admin, self._settings.admin)
        public = await _listen("server", self._public, self._settings.server)
        return Addresses(public, admin)

    async def drain(self) -> None:
        """Say so, go on for a while, take no more, and finish what is in flight, in the end by force."""
        server = self._settings.server
        self._public.drain()
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
        await self._upstreams.close()
        await self._admin.close()
        self._lag.stop()

    def _look_at_upstreams(self) -> list[UpstreamState]:
        return [
            UpstreamState(
                upstream=name,
                in_flight=gauges.in_flight,
                connections={"open": gauges.connections},
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


async def _listen(section: str, edge: AdminEdge | PublicEdge, settings: AdminSettings | ServerSettings) -> str:
    """The URL listened on."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        port = await edge.listen(settings.host, settings.port)
    except OSError as error:
        remedies = {
            errno.EADDRINUSE: f"the port is in use: stop what listens there, or set {section}.port to another",
            errno.EACCES: f"not permitted: set {section}.port to one above 1023",
            errno.EADDRNOTAVAIL: f"that is no address of this machine: set {section}.host to one",
        }
        why = remedies.get(error.errno or 0, f"{os.strerror(error.errno or 0)}: set {section}.host and {section}.port")
        raise CannotListen(f"cannot listen on {host}:{settings.port}: {why}") from None
    return f"http://{host}:{port}"
