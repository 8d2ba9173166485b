"""The connections to one upstream: which request goes out on which, how many at once, how many wait, and until when.

start     an idle connection takes the request, or it waits; for each that waits a connection is made, up to the limit
release   an answer has been read: the connection takes the one that has waited longest, or idles
sweep     one timer, at the first deadline there is: a timer for each request costs half as much as the request
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from gateway.messages import Reason, Request
from gateway.upstreams.attempt import Attempt
from gateway.upstreams.fields import ClientFields
from gateway.upstreams.wire.alarm import Alarm
from gateway.upstreams.wire.broken import Broken
from gateway.upstreams.wire.connection import Call, Connection
from gateway.upstreams.wire.dial import Address, connect
from gateway.upstreams.wire.exchange import Exchange
from gateway.upstreams.wire.head import HeadWriter
from gateway.upstreams.wire.heads import Heads


class Terms(NamedTuple):
    """What may be used of an upstream, and for how long (seconds).

    `connections` and the requests that wait for one; `limit` bytes of an answer; `first_byte` None: as long as there is time;
    `keepalive` of an idle connection, 0 for none; `max_age` of any.
    """

    connections: int
    queue: int
    limit: int
    connect_timeout: float
    first_byte: float | None
    keepalive: float
    max_age: float


class Pool:
    """Sends requests to the upstream called `label`, one try each. `host` is what requests say."""

    def __init__(
        self, label: str, address: Address, host: str, terms: Terms, *, show_cookies: bool, clock: Callable[[], float]
    ) -> None:
        self.label = label
        self.fields = ClientFields(show_cookies)
        self._address = address
        self._terms = terms
        self._keepalive = terms.keepalive
        self._first_byte = terms.first_byte
        self._clock = clock
        self._head = HeadWriter(host, reuse=bool(terms.keepalive))
        self._heads = Heads()
        self._open: set[Connection] = set()
        self._idle: list[Connection] = []
        self._waiting: OrderedDict[Exchange, None] = OrderedDict()
        self._dialling: set[asyncio.Task[Connection | Broken | None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._alarm = Alarm(self._sweep, clock)
        self._closed = False

    @property
    def requests(self) -> int:
        """Requests here, on the wire or waiting."""
        return len(self._open) - len(self._idle) + len(self._waiting)

    @property
    def idle(self) -> int:
        """Connections kept for the next request."""
        return len(self._idle)

    @property
    def busy(self) -> int:
        """Connections in use or being made."""
        return len(self._open) - len(self._idle) + len(self._dialling)

    def open(self) -> None:
        """Belong to the running event loop. Nothing is connected yet."""
        self._loop = asyncio.get_running_loop()

    def start(self, request: Request, done: Callable[[Attempt], None]) -> Exchange:
        """The transport of this upstream."""
        now = self._clock()
        try:
            head = self._head.write(request)
        except Broken as error:
            exchange = Exchange(self, request, b"", done)
            exchange.fail(error.reason, error.what)
            return exchange
        exchange = Exchange(self, request, head, done)
        if exchange.until <= now:
            exchange.look(now)
        elif (idle := self._idle) and now < idle[-1].expires:
            self._put(exchange, idle.pop(), now)  # the one used last, so that those that are too many grow old
        else:
            self._queue(exchange, now)
        return exchange

    def release(self, connection: Connection) -> None:
        """An answer has been read: the connection goes to the one that has waited longest, or idles, unless it is too old."""
        now = self._clock()
        if now >= connection.retires or not self._keepalive:
            connection.abort()
        elif self._waiting:
            self._employ(connection, now)
        else:
            self._keep(connection, now)

    def forget(self, exchange: Exchange) -> None:
        """One that waits does so no more."""
        self._waiting.pop(exchange, None)

    def closed(self, connection: Connection) -> None:
        """For a connection: it is no more."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._dial_more()

    def close(self) -> Awaitable[object]:
        """Close every connection. What is in flight or waits ends as a failure. To be awaited for those being made."""
        self._closed = True
        self._alarm.cancel()
        for task in self._dialling:
            task.cancel()
        for connection in tuple(self._idle):  # first, because who is told that it is over may send what comes next
            connection.abort()
        for exchange in self._exchanges():
            exchange.fail(Reason.UPSTREAM_CLOSED, "is not asked any more: the gateway closes its connections")
        for connection in tuple(self._open):
            connection.abort()
        return asyncio.gather(*self._dialling, return_exceptions=True)

    # which connection

    def _employ(self, connection: Connection, now: float) -> None:
        """Give it to the one that has waited longest and still has time, or keep it."""
        while self._waiting:
            exchange, _ = self._waiting.popitem(last=False)
            exchange.end_wait(now)
            if now < exchange.until:
                self._put(exchange, connection, now)
                return
            exchange.look(now)
        self._keep(connection, now)

    def _keep(self, connection: Connection, now: float) -> None:
        expires = now + self._keepalive
        connection.expires = expires = expires if expires < connection.retires else connection.retires
        self._idle.append(connection)
        if expires < self._alarm.wakes:
            self._alarm.set(expires, now)

    def _put(self, exchange: Exchange, connection: Connection, now: float) -> None:
        if self._first_byte is not None:
            exchange.until = min(exchange.until, now + self._first_byte)
        exchange.send_on(connection)
        if exchange.until < self._alarm.wakes:
            self._alarm.set(exchange.until, now)

    def _queue(self, exchange: Exchange, now: float) -> None:
        """Let it wait, where no connection that is fit to be used has nothing to do."""
        self._close_stale(now)
        connections, queue = self._terms.connections, self._terms.queue
        if self._idle:
            self._put(exchange, self._idle.pop(), now)
        elif self._closed:
            exchange.fail(Reason.UPSTREAM_CLOSED, "is not asked any more: the gateway closes its connections")
        elif (requests := self.requests) >= connections + queue:
            what = f"has {connections} requests in flight and {queue} waiting, and takes no more"
            exchange.fail(Reason.UPSTREAM_OVERLOADED, what)
        else:
            if requests >= connections:
                exchange.since = now
            self._waiting[exchange] = None
            self._dial_more()
            if exchange.until < self._alarm.wakes:
                self._alarm.set(exchange.until, now)

    def _close_stale(self, now: float) -> None:
        for connection in [idle for idle in self._idle if idle.expires <= now]:
            connection.abort()

    # making connections

    def _dial_more(self) -> None:
        """As many as there are requests that wait, as far as the limit allows."""
        dialling = self._dialling
        if self._closed:
            return
        while len(dialling) < len(self._waiting) and len(self._open) + len(dialling) < self._terms.connections:
            connection = Connection(self, self._terms.limit, self._heads)
            task = self._running().create_task(connect(self._address, connection, self._terms.connect_timeout, self._is_wanted))
            dialling.add(task)
            task.add_done_callback(self._dialled)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise RuntimeError(f"{self.label} is used before start()")
        return self._loop

    def _is_wanted(self) -> bool:
        """Whether a connection that is about to be made still is: who waited for it may have been served, or cancelled."""
        return len(self._dialling) <= len(self._waiting)

    def _dialled(self, task: "asyncio.Task[Connection | Broken | None]") -> None:
        self._dialling.discard(task)
        if not task.cancelled():
            self._take(task)
        self._dial_more()

    def _take(self, task: "asyncio.Task[Connection | Broken | None]") -> None:
        """What came of dialling: a connection, why there is none, None if it was not wanted, or a bug."""
        error = task.exception()
        made = None if error is not None else task.result()
        if error is not None:
            message = "making a connection failed in a way that is the gateway's fault"
            self._running().call_exception_handler({"message": message, "exception": error, "task": task})
            self._fail_first(Broken(Reason.INTERNAL, "could not be connected to, and that is the gateway's fault"))
        elif isinstance(made, Broken):
            self._fail_first(made)
        elif made is not None and made.closing:
            self._fail_first(Broken(Reason.UPSTREAM_CLOSED, "closed the connection without an answer"))
        elif made is not None and self._closed:
            made.abort()
        elif made is not None:
            now = self._clock()
            made.retires = now + self._terms.max_age
            self._open.add(made)
            self._employ(made, now)

    def _fail_first(self, error: Broken) -> None:
        """No connection could be made: the request that has waited longest has waited for that."""
        if self._waiting:
            exchange, _ = self._waiting.popitem(last=False)
            exchange.end_wait(self._clock())
            exchange.fail(error.reason, error.what)

    # until when

    def _sweep(self, due: float) -> float:
        """End what is over; when to come again."""
        self._close_stale(due)
        late = [exchange for exchange in self._exchanges() if exchange.until <= due]
        for exchange in sorted(late, key=lambda exchange: exchange.until):
            exchange.end_wait(self._clock())
            exchange.look(due)
        return min(
            min([exchange.until for exchange in self._exchanges()], default=math.inf),
            min([connection.expires for connection in self._idle], default=math.inf),
        )

    def _exchanges(self) -> list[Call]:
        return [*self._waiting, *[connection.call for connection in self._open if connection.call is not None]]
