"""The layer that sends so many requests at once and no more, and lets so many wait: first come, first served."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from gateway.messages import Failure, Outcome, Reason, Request, Send


class Limit:
    """At most `connections` requests in flight and `queue` waiting. A place that comes free goes to the first who waits."""

    def __init__(self, upstream: str, *, connections: int, queue: int, clock: Callable[[], float]) -> None:
        self._upstream = upstream
        self._connections = connections
        self._queue = queue
        self._clock = clock
        self._waiters: OrderedDict[asyncio.Future[bool], None] = OrderedDict()
        self.in_flight = 0

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiters)

    def around(self, send: Send) -> Send:
        """The layer."""

        async def send_in_turn(request: Request) -> Outcome:
            arrived = now = self._clock()
            if self.in_flight < self._connections:
                self.in_flight += 1
            elif len(self._waiters) >= self._queue:
                return self._refuse()
            elif not await self._wait(request.deadline):
                return self._expire(arrived)
            else:
                now = self._clock()
            try:
                if now >= request.deadline:
                    return self._expire(arrived)
                outcome = await send(request)
            finally:
                self._leave()
            return outcome if now == arrived else outcome._replace(queued=outcome.queued + now - arrived)

        return send_in_turn

    async def _wait(self, deadline: float) -> bool:
        """True with a place that must be left, False at the deadline without one."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self._waiters[waiter] = None
        alarm = loop.call_at(deadline, self._give_up, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                self._leave()  # the place came in the same moment as the cancellation
            self._waiters.pop(waiter, None)
            raise
        finally:
            alarm.cancel()

    def _give_up(self, waiter: asyncio.Future[bool]) -> None:
        if not waiter.done():
            self._waiters.pop(waiter, None)
            waiter.set_result(False)

    def _leave(self) -> None:
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():
                waiter.set_result(True)
                return
        self.in_flight -= 1

    def _refuse(self) -> Failure:
        detail = f"{self._upstream} has {self._connections} requests in flight and {self._queue} waiting, and takes no more"
        return Failure(Reason.UPSTREAM_OVERLOADED, detail)

    def _expire(self, arrived: float) -> Failure:
        queued = self._clock() - arrived
        detail = f"{self._upstream} was never sent the request: its time was over after {queued:.3f} s in the queue"
        return Failure(Reason.UPSTREAM_TIMEOUT, detail, queued)
