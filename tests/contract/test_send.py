"""What every Send promises: the real one over sockets, and the scripted one for tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import pytest

from gateway.messages import Failure, Outcome, Reason, Request, Response, Send
from gateway.upstreams.scripted import ScriptedSend
from tests.support.room import ask, room_for
from tests.support.upstream import Answer, Arrival, ScriptedUpstream, close, respond

OK = Response(200, (("x-page", "1"),), b'{"id": 1}')
MISSING = Response(404, (), b"")
CLOSED = Failure(Reason.UPSTREAM_CLOSED, "", maybe_processed=True)


class Stage(Protocol):
    """A Send with an upstream that a test directs."""

    async def send(self, request: Request) -> Outcome: ...

    async def arrived(self, count: int) -> tuple[str, str, bytes]:
        """Method, target and body of the count-th request to arrive."""

    def release(self, target: str, outcome: Outcome) -> None:
        """End a request that is held."""

    def in_flight(self) -> int: ...


class FakeStage:
    """The scripted Send."""

    def __init__(self, script: dict[tuple[str, str], Outcome]) -> None:
        self._scripted = ScriptedSend(script)
        self.send = self._scripted.send
        self.release = self._scripted.release

    async def arrived(self, count: int) -> tuple[str, str, bytes]:
        request = await self._scripted.arrived(count)
        return request.method, request.target, request.body or b""

    def in_flight(self) -> int:
        return self._scripted.in_flight


class RealStage:
    """The upstreams room before a raw upstream that plays the same outcomes."""

    def __init__(self, upstream: ScriptedUpstream, send: Send, gauge: Callable[[], int]) -> None:
        self._upstream = upstream
        self._send = send
        self.in_flight = gauge

    async def send(self, request: Request) -> Outcome:
        return await self._send(request)

    async def arrived(self, count: int) -> tuple[str, str, bytes]:
        arrival = (await self._upstream.arrived(count)).arrival
        return arrival.method, arrival.target, arrival.body

    def release(self, target: str, outcome: Outcome) -> None:
        exchange = next(exchange for exchange in self._upstream.exchanges if exchange.arrival.target == target)
        exchange.answer(play(outcome))


def play(outcome: Outcome) -> Answer:
    match outcome:
        case Response(status, headers, body):
            return respond(status, body, headers)
        case Failure():
            return close()


Enter = Callable[[dict[tuple[str, str], Outcome]], contextlib.AbstractAsyncContextManager[Stage]]


@contextlib.asynccontextmanager
async def on_fake_stage(script: dict[tuple[str, str], Outcome]) -> AsyncIterator[Stage]:
    yield FakeStage(script)


@contextlib.asynccontextmanager
async def on_real_stage(script: dict[tuple[str, str], Outcome]) -> AsyncIterator[Stage]:
    def answer(arrival: Arrival) -> Answer | None:
        outcome = script.get((arrival.method, arrival.target))
        return play(outcome) if outcome is not None else None

    async with ScriptedUpstream(answer) as upstream, room_for(upstream.url) as room:
        yield RealStage(upstream, room.send, lambda: room.gauges()["users"].in_flight)


@pytest.fixture(params=[on_fake_stage, on_real_stage], ids=["scripted", "sockets"])
def on_stage(request: pytest.FixtureRequest) -> Enter:
    enter: Enter = request.param
    return enter


async def test_a_response_is_a_value(on_stage: Enter) -> None:
    async with on_stage({("GET", "/users/1"): OK, ("GET", "/users/2"): MISSING}) as stage:
        assert await stage.send(ask("/users/1")) == OK
        assert await stage.send(ask("/users/2")) == MISSING


async def test_a_failure_is_a_value_too(on_stage: Enter) -> None:
    async with on_stage({("POST", "/users"): CLOSED}) as stage:
        outcome = await stage.send(ask("/users", "POST"))
        assert isinstance(outcome, Failure)
        assert outcome._replace(detail="") == CLOSED


async def test_the_request_arrives_as_it_was(on_stage: Enter) -> None:
    async with on_stage({("PUT", "/users/1?a=%20"): OK}) as stage:
        await stage.send(ask("/users/1?a=%20", "PUT", body=b'{"a": 1}'))
        assert await stage.arrived(1) == ("PUT", "/users/1?a=%20", b'{"a": 1}')


async def test_requests_do_not_wait_for_each_other(on_stage: Enter) -> None:
    async with on_stage({}) as stage:
        tasks = [asyncio.ensure_future(stage.send(ask(target))) for target in ("/a", "/b")]
        await stage.arrived(2)
        assert stage.in_flight() == 2
        stage.release("/b", OK)
        assert await tasks[1] == OK
        stage.release("/a", MISSING)
        assert await tasks[0] == MISSING
        assert stage.in_flight() == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_deadline_is_kept(on_stage: Enter, method: str) -> None:
    async with on_stage({}) as stage:
        outcome = await stage.send(ask(method=method, patience=0.05))
        assert isinstance(outcome, Failure)
        assert (outcome.reason, outcome.maybe_processed) == (Reason.UPSTREAM_TIMEOUT, method == "POST")
        assert stage.in_flight() == 0


async def test_cancelling_lets_go(on_stage: Enter) -> None:
    async with on_stage({}) as stage:
        task = asyncio.ensure_future(stage.send(ask()))
        await stage.arrived(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stage.in_flight() == 0
