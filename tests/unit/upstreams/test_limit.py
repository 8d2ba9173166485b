"""So many at once, so many waiting, first come first served."""

import asyncio
from collections.abc import Callable

import pytest

from gateway.messages import Failure, Outcome, Reason, Request, Response
from gateway.upstreams.limit import Limit
from tests.support.clock import Clock

OK = Response(200, (), b"")


class Play:
    """A limit round an upstream that holds each request. Deadlines are the event loop's time, whatever the clock."""

    def __init__(self, connections: int, queue: int, clock: Callable[[], float] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        clock = clock or self.loop.time
        self.limit = Limit("users (http://users:8080)", connections=connections, queue=queue, clock=clock)
        self.sent: dict[str, asyncio.Future[Outcome]] = {}
        self._send = self.limit.around(self._hold)

    async def _hold(self, request: Request) -> Outcome:
        self.sent[request.target] = self.loop.create_future()
        return await self.sent[request.target]

    async def ask(self, target: str, patience: float = 60.0) -> asyncio.Task[Outcome]:
        """A request that has got as far as it can."""
        request = Request("users", "GET", target, (), None, self.loop.time() + patience)
        task = asyncio.ensure_future(self._send(request))
        await settle()
        assert isinstance(task, asyncio.Task)
        return task

    async def release(self, target: str) -> None:
        self.sent[target].set_result(OK)
        await settle()

    @property
    def gauges(self) -> tuple[int, int]:
        return self.limit.in_flight, self.limit.waiting


async def settle() -> None:
    """Let every callback that is ready run."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("connections", [1, 2, 5])
async def test_sends_as_many_as_there_are_connections(connections: int) -> None:
    play = Play(connections, queue=10)
    tasks = [await play.ask(f"/{number}") for number in range(connections + 1)]
    assert play.gauges == (connections, 1)
    assert list(play.sent) == [f"/{number}" for number in range(connections)]
    for number in range(connections + 1):
        await play.release(f"/{number}")
    assert [(await task)._replace(queued=0.0) for task in tasks] == [OK] * (connections + 1)
    assert play.gauges == (0, 0)


@pytest.mark.parametrize("queue", [0, 1, 3])
async def test_refuses_at_once_when_the_queue_is_full(queue: int) -> None:
    play = Play(1, queue)
    tasks = [await play.ask(f"/{number}") for number in range(1 + queue)]
    assert play.gauges == (1, queue)
    assert await (await play.ask("/refused")) == Failure(
        Reason.UPSTREAM_OVERLOADED,
        f"users (http://users:8080) has 1 requests in flight and {queue} waiting, and takes no more",
    )
    for number, task in enumerate(tasks):
        await play.release(f"/{number}")
        await task
    assert "/refused" not in play.sent


async def test_the_first_that_waits_goes_first() -> None:
    play = Play(1, queue=10)
    tasks = [await play.ask(target) for target in ("/a", "/b", "/c")]
    await play.release("/a")
    assert list(play.sent) == ["/a", "/b"]
    await play.release("/b")
    assert list(play.sent) == ["/a", "/b", "/c"]
    await play.release("/c")
    await asyncio.gather(*tasks)


async def test_nobody_overtakes_those_who_wait() -> None:
    play = Play(1, queue=10)
    first, second = await play.ask("/a"), await play.ask("/b")
    play.sent["/a"].set_result(OK)
    third = await play.ask("/c")
    assert list(play.sent) == ["/a", "/b"]
    await play.release("/b")
    await play.release("/c")
    await asyncio.gather(first, second, third)


async def test_the_time_in_the_queue_is_told() -> None:
    clock = Clock(asyncio.get_running_loop().time())
    play = Play(1, queue=10, clock=clock)
    first, second = await play.ask("/a"), await play.ask("/b")
    clock.now += 0.5
    await play.release("/a")
    clock.now += 7
    await play.release("/b")
    assert (await first).queued == 0.0
    assert (await second).queued == pytest.approx(0.5)


async def test_the_deadline_passes_in_the_queue() -> None:
    play = Play(1, queue=10)
    first, second = await play.ask("/a"), await play.ask("/b", patience=0.01)
    outcome = await second
    assert isinstance(outcome, Failure)
    assert (outcome.reason, outcome.maybe_processed) == (Reason.UPSTREAM_TIMEOUT, False)
    assert outcome.detail.startswith("users (http://users:8080) was never sent the request")
    assert outcome.queued >= 0.01
    assert play.gauges == (1, 0)
    await play.release("/a")
    await first
    assert list(play.sent) == ["/a"]


async def test_a_deadline_already_past_is_not_sent() -> None:
    play = Play(1, queue=10)
    outcome = await (await play.ask("/late", patience=0.0))
    assert isinstance(outcome, Failure)
    assert outcome.reason is Reason.UPSTREAM_TIMEOUT
    assert (play.sent, play.gauges) == ({}, (0, 0))


async def test_cancelling_one_that_waits_frees_its_place() -> None:
    play = Play(1, queue=1)
    first, second = await play.ask("/a"), await play.ask("/b")
    second.cancel()
    await settle()
    assert play.gauges == (1, 0)
    third = await play.ask("/c")
    await play.release("/a")
    await play.release("/c")
    await asyncio.gather(first, third)
    assert play.gauges == (0, 0)


async def test_cancelling_one_in_flight_lets_the_next_go() -> None:
    play = Play(1, queue=1)
    first, second = await play.ask("/a"), await play.ask("/b")
    first.cancel()
    await settle()
    assert list(play.sent) == ["/a", "/b"]
    await play.release("/b")
    await second
    assert play.gauges == (0, 0)


async def test_a_place_that_comes_with_the_cancellation_goes_to_the_next() -> None:
    play = Play(1, queue=2)
    first, second, third = [await play.ask(target) for target in ("/a", "/b", "/c")]
    play.sent["/a"].set_result(OK)
    await asyncio.sleep(0)  # the first has ended and handed its place to the second, which has not run yet
    second.cancel()
    await settle()
    assert list(play.sent) == ["/a", "/c"]
    await play.release("/c")
    await asyncio.gather(first, third)
    assert play.gauges == (0, 0)


async def test_a_sender_that_raises_frees_its_place() -> None:
    async def fail(_: Request) -> Outcome:
        raise RuntimeError("a bug")

    limit = Limit("users", connections=1, queue=0, clock=asyncio.get_running_loop().time)
    with pytest.raises(RuntimeError):
        await limit.around(fail)(Request("users", "GET", "/", (), None, asyncio.get_running_loop().time() + 60))
    assert limit.in_flight == 0
