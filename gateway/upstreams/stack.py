"""All upstreams of a configuration: for each the layers in their order, and one `send` that leads to them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import random

from gateway.config.settings import UpstreamSettings
from gateway.messages import Outcome, Reason, Request, Send
from gateway.upstreams.attempt import Layer
from gateway.upstreams.breaker import Breaker, Circuit
from gateway.upstreams.limit import Limit
from gateway.upstreams.retries import Retries
from gateway.upstreams.session import Session
from gateway.upstreams.tls import make_tls_context


@dataclass(frozen=True, slots=True)
class Gauges:
    """One upstream at this moment. `retries` are counts since the start, by the reason of the try before."""

    in_flight: int
    waiting: int
    connections: int
    circuit: Circuit
    retries: Mapping[Reason, int]


class Stack:
    """One upstream and its layers."""

    def __init__(
        self, name: str, settings: UpstreamSettings, limit: int, clock: Callable[[], float], random: Callable[[], float]
    ) -> None:
        label = f"{name} ({settings.url})"
        self.session = Session(
            name,
            settings.url,
            limit=limit,
            connect_timeout=settings.connect_timeout,
            keepalive=settings.keepalive,
            show_cookies=settings.pass_set_cookie,
            tls=make_tls_context(name, settings.tls) if settings.url.startswith("https:") else None,
            server_name=settings.tls.server_name,
        )
        self.retries = Retries(
            times=settings.retries, budget=settings.retry_budget, clock=clock, sleep=asyncio.sleep, random=random
        )
        self.limit = Limit(label, connections=settings.connections, queue=settings.queue, clock=clock)
        self.breaker = Breaker(
            label,
            failure_ratio=settings.breaker.failure_ratio,
            minimum=settings.breaker.minimum,
            window=settings.breaker.window,
            cooldown=settings.breaker.cooldown,
            patience=settings.timeout / 2,  # queue, pauses and chains of operations leave less than all of it
            clock=clock,
        )
        self.send = compose(
            [
                *([self.breaker.around] if settings.breaker.enabled else []),  # first: nobody queues for a dead upstream
                self.limit.around,
            ],
            self.retries.around(self.session.attempt),  # keeps its place in the limit: a retry adds no load unseen
        )

    def gauges(self) -> Gauges:
        """The figures now."""
        return Gauges(
            self.limit.in_flight,
            self.limit.waiting,
            self.session.connections,
            self.breaker.circuit,
            dict(self.retries.counts),
        )


def compose(layers: list[Layer], send: Send) -> Send:
    """One Send of several layers, the first of them outermost."""
    for layer in reversed(layers):
        send = layer(send)
    return send


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
        self._sends = {name: stack.send for name, stack in self._stacks.items()}

    def send(self, request: Request) -> Awaitable[Outcome]:
        """Send to the upstream that the request names; it must be one of the configuration's."""
        return self._sends[request.upstream](request)

    async def start(self) -> None:
        """Make ready to send."""
        for stack in self._stacks.values():
            await stack.session.start()

    async def close(self) -> None:
        """Close every connection; requests still in flight end as failures."""
        for stack in self._stacks.values():
            await stack.session.close()

    def gauges(self) -> dict[str, Gauges]:
        """The figures of each upstream, by name."""
        return {name: stack.gauges() for name, stack in self._stacks.items()}
