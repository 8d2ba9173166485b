"""Which request has which connection: so many at once, first come first served, kept for the next, closed in time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from gateway.config.upstreams import UpstreamSettings
from gateway.messages import Failure, Outcome, Reason, Response
from gateway.upstreams.promise import Promise
from gateway.upstreams.stack import Upstreams
from gateway.upstreams.wire.dial import Address
from gateway.upstreams.wire.pool import Pool, Terms
from tests.support.clock import Clock
from tests.support.room import ask, begin, room_for
from tests.support.upstream import Answer, ScriptedUpstream, respond

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
OK = Response(200, (), b"")


class Stage:
    """A room with an upstream that holds every request."""

    def __init__(self, room: Upstreams, upstream: ScriptedUpstream) -> None:
        self.room = room
        self.upstream = upstream

    @property
    def gauges(self) -> tuple[int, int]:
        """In flight, waiting."""
        gauges = self.room.gauges()["users"]
        return gauges.in_flight, gauges.waiting

    @property
    def arrived(self) -> list[str]:
        """Targets in the order of arrival."""
        return [arrival.target for arrival in self.upstream.arrivals]

    async def ask(self, count: int) -> list[Promise]:
        """Send that many, /1 and so on, and wait until as many as may be have arrived."""
        sendings = [self.room.send(ask(f"/{number}")) for number in range(1, count + 1)]
        await self.upstream.arrived(self.gauges[0])
        return sendings

    async def answer(self, count: int) -> None:
        """Answer the count-th request to arrive."""
        (await self.upstream.arrived(count)).answer(respond(200))


@contextlib.asynccontextmanager
async def stage_with(**settings: Any) -> AsyncIterator[Stage]:
    async with ScriptedUpstream() as upstream, room_for(upstream.url, **settings) as room:
        yield Stage(room, upstream)


def reason_of(outcome: object) -> Reason | None:
    return outcome.reason if isinstance(outcome, Failure) else None


# how many


@pytest.mark.parametrize("connections", [1, 2, 5])
async def test_sends_as_many_as_there_are_connections(connections: int) -> None:
    async with stage_with(connections=connections) as stage:
        sendings = await stage.ask(connections + 1)
        assert stage.gauges == (connections, 1)
        assert len(stage.arrived) == connections
        for number in range(connections + 1):
            await stage.answer(number + 1)
        assert [(await sending)._replace(queued=0.0) for sending in sendings] == [OK] * (connections + 1)
        assert stage.gauges == (0, 0)
        assert stage.upstream.connections == connections


@pytest.mark.parametrize("queue", [0, 1, 3])
async def test_refuses_at_once_when_the_queue_is_full(queue: int) -> None:
    async with stage_with(connections=1, queue=queue) as stage:
        sendings = await stage.ask(1 + queue)
        assert stage.gauges == (1, queue)
        what = f"has 1 requests in flight and {queue} waiting, and takes no more"
        refused = stage.room.send(ask("/refused"))
        assert refused.done()
        assert await refused == Failure(Reason.UPSTREAM_OVERLOADED, f"users ({stage.upstream.url}) {what}")
        for number in range(1 + queue):
            await stage.answer(number + 1)
        await asyncio.gather(*sendings)
        assert "/refused" not in stage.arrived


async def test_the_first_that_waits_goes_first_and_nobody_overtakes() -> None:
    async with stage_with(connections=1) as stage:
        sendings = await stage.ask(3)
        for number in range(1, 4):
            await stage.answer(number)
            await sendings[number - 1]
        assert stage.arrived == ["/1", "/2", "/3"]


async def test_the_time_in_the_queue_is_told_and_that_of_connecting_is_none() -> None:
    time = asyncio.get_running_loop().time
    async with stage_with(connections=1) as stage:
        before = time()
        first, second = await stage.ask(2)
        waiting = time()
        await asyncio.sleep(0.02)
        released = time()
        await stage.answer(1)
        await stage.answer(2)
        assert (await first).queued == 0.0
        assert 0 < released - waiting <= (await second).queued <= time() - before


async def test_the_deadline_passes_in_the_queue() -> None:
    time = asyncio.get_running_loop().time
    async with stage_with(connections=1) as stage:
        await stage.ask(1)
        before = time()
        outcome = await stage.room.send(ask("/late", patience=0.01))
        assert 0 < outcome.queued <= time() - before
        what = "was never sent the request: its time was over before there was a connection"
        assert outcome._replace(queued=0.0) == Failure(Reason.UPSTREAM_TIMEOUT, f"users ({stage.upstream.url}) {what}")
        assert stage.gauges == (1, 0)
        assert stage.arrived == ["/1"]


async def test_a_deadline_already_past_is_not_sent() -> None:
    async with stage_with() as stage:
        outcome = await stage.room.send(ask(patience=0.0))
        assert reason_of(outcome) is Reason.UPSTREAM_TIMEOUT
        assert stage.upstream.connections == 0


async def test_each_of_many_deadlines_is_kept() -> None:
    async with stage_with(connections=2) as stage:
        patience = [0.09, 0.01, 0.05, 0.03, 0.07]
        ended: list[float] = []
        sendings = [stage.room.send(ask(patience=seconds)) for seconds in patience]
        for sending, seconds in zip(sendings, patience, strict=True):
            sending.add_done_callback(lambda _, seconds=seconds: ended.append(seconds))  # type: ignore[misc]
        assert {reason_of(outcome) for outcome in await asyncio.gather(*sendings)} == {Reason.UPSTREAM_TIMEOUT}
        assert ended == sorted(patience)


async def test_the_deadline_of_a_request_on_a_kept_connection_is_kept() -> None:
    async with stage_with() as stage:
        warm = stage.room.send(ask())
        await stage.answer(1)
        await warm
        async with asyncio.timeout(2):  # the timer was set for the first one's, in five seconds
            outcome = await stage.room.send(ask(patience=0.02))
        assert reason_of(outcome) is Reason.UPSTREAM_TIMEOUT
        assert stage.upstream.connections == 1


# cancelling


async def test_cancelling_one_that_waits_frees_its_place() -> None:
    async with stage_with(connections=1, queue=1) as stage:
        _, second = await stage.ask(2)
        second.cancel()
        assert stage.gauges == (1, 0)
        third = stage.room.send(ask("/third"))
        await stage.answer(1)
        await stage.answer(2)
        assert isinstance(await third, Response)
        assert stage.arrived == ["/1", "/third"]


async def test_cancelling_one_in_flight_lets_the_next_go() -> None:
    async with stage_with(connections=1) as stage:
        first, second = await stage.ask(2)
        first.cancel()
        await stage.answer(2)
        assert isinstance(await second, Response)
        assert stage.arrived == ["/1", "/2"]


async def test_cancelling_all_of_them_leaves_nothing() -> None:
    async with stage_with(connections=2) as stage:
        sendings = await stage.ask(6)
        for sending in sendings:
            sending.cancel()
        assert stage.gauges == (0, 0)
        await asyncio.gather(*sendings, return_exceptions=True)
        for exchange in stage.upstream.exchanges:
            await exchange.gone()


async def test_a_connection_made_for_one_that_was_cancelled_is_kept_for_the_next() -> None:
    async with stage_with() as stage:
        sending = stage.room.send(ask())
        await asyncio.sleep(0)  # it is being made
        sending.cancel()
        other = stage.room.send(ask("/other"))
        await stage.answer(1)
        assert isinstance(await other, Response)
        assert (stage.arrived, stage.upstream.connections) == (["/other"], 1)


# reuse


async def test_connections_are_kept_and_used_again() -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for(upstream.url) as room:
        for _ in range(3):
            await room.send(ask())
        assert [arrival.connection for arrival in upstream.arrivals] == [1, 1, 1]


async def test_without_keepalive_each_connection_is_used_once() -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for(upstream.url, keepalive=0) as room:
        for _ in range(3):
            await room.send(ask())
        assert [(arrival.connection, arrival.header("connection")) for arrival in upstream.arrivals] == [
            (1, "close"),
            (2, "close"),
            (3, "close"),
        ]
        assert room.gauges()["users"].connections == 0


async def test_every_connection_in_flight_is_counted() -> None:
    async with ScriptedUpstream() as upstream, room_for(upstream.url) as room:
        tasks = [await begin(room, ask()) for _ in range(3)]
        await upstream.arrived(3)
        assert room.gauges()["users"].connections == 3
        for exchange in upstream.exchanges:
            exchange.answer(respond(200))
        for task in tasks:
            await task


async def test_an_idle_connection_is_closed_in_time() -> None:
    async with stage_with(keepalive=0.02) as stage:
        sending = stage.room.send(ask())
        await stage.answer(1)
        await sending
        await stage.upstream.exchanges[0].gone()
        assert stage.room.gauges()["users"].connections == 0


async def test_the_connection_used_last_is_used_first() -> None:
    async with stage_with() as stage:
        sendings = await stage.ask(3)
        for number in (2, 3, 1):
            await stage.answer(number)
            await sendings[stage.upstream.exchanges[number - 1].arrival.connection - 1]
        again = stage.room.send(ask("/again"))
        await stage.answer(4)
        await again
        assert stage.upstream.arrivals[3].connection == stage.upstream.arrivals[0].connection


async def test_an_old_connection_is_closed_although_it_is_used() -> None:
    async with stage_with(max_age=0.05) as stage:
        first = stage.room.send(ask("/first"))
        exchange = await stage.upstream.arrived(1)
        await asyncio.sleep(0.06)  # until it is too old
        exchange.answer(respond(200))
        await first
        await exchange.gone()
        assert stage.room.gauges()["users"].connections == 0


async def test_an_old_connection_does_not_take_the_next_that_waits() -> None:
    async with stage_with(max_age=0.05, connections=1) as stage:
        sendings = await stage.ask(2)
        await asyncio.sleep(0.06)  # until it is too old
        await stage.answer(1)
        await stage.answer(2)
        await asyncio.gather(*sendings)
        assert [arrival.connection for arrival in stage.upstream.arrivals] == [1, 2]


async def test_a_connection_that_has_idled_too_long_is_not_used_although_no_timer_has_closed_it_yet() -> None:
    clock = Clock(asyncio.get_running_loop().time())
    settings = {"routes": ["/"], "connections": 1, "retries": 0}
    async with ScriptedUpstream(lambda _: respond(200)) as upstream:
        room = Upstreams({"users": UpstreamSettings.model_validate({"url": upstream.url, **settings})}, 1 << 20, clock)
        await room.start()
        for _ in range(2):
            await room.send(ask(patience=60))
            clock.now += 11
        await room.close()
        assert [arrival.connection for arrival in upstream.arrivals] == [1, 2]


async def test_an_idle_connection_is_closed_when_it_is_too_old() -> None:
    async with stage_with(max_age=0.05, keepalive=60) as stage:
        sending = stage.room.send(ask())
        await stage.answer(1)
        await sending
        await stage.upstream.exchanges[0].gone()


# until when


async def test_the_first_byte_may_have_a_time_of_its_own() -> None:
    async with stage_with(first_byte_timeout=0.03) as stage:
        outcome = await stage.room.send(ask(method="POST"))
        what = f"users ({stage.upstream.url}) did not begin to answer in time"
        assert outcome == Failure(Reason.UPSTREAM_TIMEOUT, what, maybe_processed=True)
        await stage.upstream.exchanges[0].gone()


async def test_once_the_first_byte_is_there_all_the_time_is() -> None:
    async with (
        ScriptedUpstream(lambda _: Answer((HEAD, b"he", b"llo"), pause=0.05)) as upstream,
        room_for(upstream.url, first_byte_timeout=0.04) as room,
    ):
        assert await room.send(ask()) == Response(200, (), b"hello")


async def test_a_first_byte_in_time_does_not_move_the_deadline() -> None:
    async with stage_with(first_byte_timeout=0.02) as stage:
        sending = stage.room.send(ask(patience=0.08))
        (await stage.upstream.arrived(1)).answer(HEAD)
        outcome = await sending
        what = "did not finish its answer in time"
        assert outcome == Failure(Reason.UPSTREAM_TIMEOUT, f"users ({stage.upstream.url}) {what}")


# beginning and end


async def test_a_connection_that_is_closed_as_soon_as_it_is_made_is_not_made_again_and_again() -> None:
    made: list[asyncio.Protocol] = []

    async def connect_and_close(make_protocol: Callable[[], asyncio.Protocol], _: str) -> None:
        made.append(make_protocol())
        made[-1].connection_lost(None)

    asyncio.get_running_loop().create_unix_connection = connect_and_close  # type: ignore[method-assign, assignment]
    async with room_for("http+unix://%2Fusers.sock") as room:
        outcome = await room.send(ask(method="POST"))
        what = "users (http+unix://%2Fusers.sock) closed the connection without an answer"
        assert outcome == Failure(Reason.UPSTREAM_CLOSED, what, maybe_processed=False)
        assert len(made) == 1


async def test_sending_before_the_start_is_a_bug() -> None:
    terms = Terms(1, 1, 1, connect_timeout=1, first_byte=None, keepalive=1, max_age=1)
    address = Address("users", "127.0.0.1", 1)
    pool = Pool("users", address, "users", terms, show_cookies=False, clock=asyncio.get_running_loop().time)
    with pytest.raises(RuntimeError, match=r"users is used before start\(\)"):
        pool.start(ask(), lambda _: None)


async def test_after_the_end_nothing_is_sent() -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for(upstream.url, retries=1) as room:
        await room.send(ask())
        await room.close()
        assert reason_of(await room.send(ask("/late"))) is Reason.UPSTREAM_CLOSED
        assert [arrival.target for arrival in upstream.arrivals] == ["/users/1"]


async def test_the_end_ends_those_in_flight_and_those_that_wait() -> None:
    async with stage_with(connections=1) as stage:
        sendings = await stage.ask(2)
        await stage.room.close()
        assert [reason_of(await sending) for sending in sendings] == [Reason.UPSTREAM_CLOSED] * 2
        await stage.upstream.exchanges[0].gone()
        assert stage.room.gauges()["users"].connections == 0


async def test_who_sends_because_all_is_being_closed_is_refused_although_a_connection_idles() -> None:
    outcomes: list[Outcome] = []
    async with stage_with(connections=2) as stage:
        room = stage.room
        idling = room.send(ask("/idling"))
        room.send_then(ask("/held"), lambda _: outcomes.append(room.send(ask("/late")).result()))
        await stage.upstream.arrived(2)
        await stage.answer(1 + stage.arrived.index("/idling"))
        await idling
        assert room.gauges()["users"].idle == 1
        await room.close()
        assert [reason_of(outcome) for outcome in outcomes] == [Reason.UPSTREAM_CLOSED]
