"""All upstreams of a configuration: for each the layers in their order, and one `send` that leads to them."""

import asyncio
from collections.abc import Callable, Mapping
from random import random
from typing import NamedTuple

from gateway.config.upstreams import UpstreamSettings
from gateway.messages import Outcome, Reason, Request
from gateway.upstreams.breaker import Breaker, Circuit
from gateway.upstreams.promise import Promise
from gateway.upstreams.retries import Retries
from gateway.upstreams.sending import Sending, Way
from gateway.upstreams.tls import make_tls_context
from gateway.upstreams.wire.dial import read_address
from gateway.upstreams.wire.pool import Pool, Terms


class Gauges(NamedTuple):
    """One upstream at this moment: requests, connections, and retries since the start by the reason of the try before.

    A request is in flight from when it may have a connection, one that is still being made too, and waits before that.
    """

    in_flight: int
    waiting: int
    busy: int
    idle: int
    circuit: Circuit
    retries: Mapping[Reason, int]

    @property
    def connections(self) -> int:
        """All connections, those that are being made too."""
        return self.busy + self.idle


class Stack:
    """One upstream and its layers."""

    def __init__(
        self, name: str, settings: UpstreamSettings, limit: int, clock: Callable[[], float], random: Callable[[], float]
    ) -> None:
        label = f"{name} ({settings.url})"
        tls = make_tls_context(name, settings.tls) if settings.url.startswith("https:") else None
        address = read_address(settings.url, tls, settings.tls.server_name)
        self._connections = settings.connections
        self.pool = Pool(
            label,
            address,
            settings.headers.set.get("host", address.authority),
            Terms(
                connections=settings.connections,
                queue=settings.queue,
                limit=limit,
                connect_timeout=settings.connect_timeout,
                first_byte=settings.first_byte_timeout,
                keepalive=settings.keepalive,
                max_age=settings.max_age,
            ),
            show_cookies=settings.pass_set_cookie,
            clock=clock,
        )
        self.retries = Retries(
            self.pool.start, times=settings.retries, budget=settings.retry_budget, clock=clock, random=random
        )
        self.breaker = Breaker(
            label,
            failure_ratio=settings.breaker.failure_ratio,
            minimum=settings.breaker.minimum,
            window=settings.breaker.window,
            cooldown=settings.breaker.cooldown,
            patience=settings.timeout / 2,  # queue, pauses and chains of operations leave less than all of it
            clock=clock,
        )
        self.way = Way(
            [self.breaker] if settings.breaker.enabled else [],  # first: nobody queues for a dead upstream
            self.retries,
            clock,
        )

    def gauges(self) -> Gauges:
        """The figures now."""
        requests = self.pool.requests
        in_flight = min(requests, self._connections)
        circuit, retries = self.breaker.circuit, dict(self.retries.counts)
        return Gauges(in_flight, requests - in_flight, self.pool.busy, self.pool.idle, circuit, retries)


class Upstreams:
    """Every upstream of a configuration behind one `send`. `response_limit` is in bytes; `clock` is the event loop's time."""

    def __init__(
        self,
        upstreams: Mapping[str, UpstreamSettings],
        response_limit: int,
        clock: Callable[[], float],
        random: Callable[[], float] = random,
    ) -> None:
        self._stacks = {name: Stack(name, settings, response_limit, clock, random) for name, settings in upstreams.items()}
        self._ways = {name: stack.way for name, stack in self._stacks.items()}
        self._loop: asyncio.AbstractEventLoop | None = None  # given to each future: asking for it is a system call

    def send(self, request: Request) -> Promise:
        """Send to the upstream that the request names; it must be one of the configuration's."""
        promise = Promise(loop=self._loop)
        promise.ticket = None
        ticket = self.send_then(request, promise.finish)
        if not promise.done():
            promise.ticket = ticket
        return promise

    def send_then(self, request: Request, done: Callable[[Outcome], None]) -> Sending:
        """The same, with a function to call in place of something to await."""
        return self._ways[request.upstream].send_then(request, done)

    async def start(self) -> None:
        """Make ready to send, in the running event loop."""
        self._loop = asyncio.get_running_loop()
        for stack in self._stacks.values():
            stack.pool.open()

    async def close(self) -> None:
        """Close every connection; requests still in flight end as failures."""
        for stack in self._stacks.values():
            await stack.pool.close()

    def is_left_alone(self, name: str) -> bool:
        """Whether that upstream would not be asked now, as it is failing."""
        return self._stacks[name].breaker.refuses

    def gauges(self) -> dict[str, Gauges]:
        """The figures of each upstream, by name."""
        return {name: stack.gauges() for name, stack in self._stacks.items()}
