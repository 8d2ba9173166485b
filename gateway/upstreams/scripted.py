"""A Send without a network, for tests of what is above it.

tests/contract/test_send.py holds it to the same promises as the real one.
"""

import asyncio
from collections.abc import Mapping

from gateway.messages import SAFE_METHODS, Failure, Outcome, Reason, Request


class ScriptedSend:
    """Answers (method, target) from `script`, and holds every other request until the test releases it.

    `requests` are all that were sent, in order. Made and used in one event loop.
    """

    def __init__(self, script: Mapping[tuple[str, str], Outcome] | None = None) -> None:
        self.requests: list[Request] = []
        self._script = dict(script or {})
        self._held: list[tuple[Request, asyncio.Future[Outcome]]] = []
        self._arrived = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """How many requests are held."""
        return len(self._held)

    async def send(self, request: Request) -> Outcome:
        """The Send."""
        self.requests.append(request)
        self._arrived.set()
        scripted = self._script.get((request.method, request.target))
        return scripted if scripted is not None else await self._hold(request)

    async def arrived(self, count: int) -> Request:
        """Wait until `count` requests have been sent; the last of them."""
        while len(self.requests) < count:
            self._arrived.clear()
            await self._arrived.wait()
        return self.requests[count - 1]

    def release(self, target: str, outcome: Outcome) -> None:
        """Give the request for `target` that has been held longest its outcome."""
        for request, future in self._held:
            if request.target == target and not future.done():
                future.set_result(outcome)
                return
        raise LookupError(f"no request for {target} is held; held are {[request.target for request, _ in self._held]}")

    async def _hold(self, request: Request) -> Outcome:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        held = (request, future)
        self._held.append(held)
        try:
            async with asyncio.timeout_at(request.deadline):
                return await future
        except TimeoutError:
            detail = f"{request.upstream} did not begin to answer in time"
            return Failure(Reason.UPSTREAM_TIMEOUT, detail, maybe_processed=request.method not in SAFE_METHODS)
        finally:
            self._held.remove(held)
