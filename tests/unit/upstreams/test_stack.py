"""The layers in their order, and the way to each upstream."""

import asyncio

import pytest

from gateway.config.upstreams import UpstreamSettings
from gateway.messages import Failure, Outcome, Reason, Request, Response
from gateway.upstreams.breaker import Circuit
from gateway.upstreams.sending import Inner, Outer, Sending, Way
from gateway.upstreams.stack import Gauges, Upstreams
from tests.support.room import ask, begin, room_for
from tests.support.upstream import ScriptedUpstream, close, refused_port, respond


class Passing:
    """A layer that notes what comes by."""

    inner: Inner
    outer: Outer

    def __init__(self, name: str, seen: list[str]) -> None:
        self._name = name
        self._seen = seen

    def start(self, sending: Sending) -> None:
        self._seen.append(f"{self._name} in")
        self.inner.start(sending)

    def finish(self, sending: Sending, outcome: Outcome) -> None:
        self._seen.append(f"{self._name} out")
        self.outer.finish(sending, outcome)

    def cancel(self, sending: Sending) -> None:
        self._seen.append(f"{self._name} cancelled")
        self.inner.cancel(sending)


class Network(Passing):
    """Where it ends."""

    def start(self, sending: Sending) -> None:
        if sending.request.method == "GET":
            self.outer.finish(sending, OK)

    def cancel(self, sending: Sending) -> None:
        self._seen.append(f"{self._name} cancelled")


def test_the_first_layer_is_the_outermost() -> None:
    seen: list[str] = []
    outcomes: list[Outcome] = []
    way = Way([Passing("first", seen), Passing("second", seen)], Network("network", seen), lambda: 0.0)
    request = Request("users", "GET", "/", (), None, 0.0)
    way.send_then(request, outcomes.append).cancel()
    assert (seen, outcomes) == (["first in", "second in", "second out", "first out"], [OK])
    seen.clear()
    ticket = way.send_then(request._replace(method="POST"), outcomes.append)
    ticket.cancel()
    ticket.cancel()
    assert seen == ["first in", "second in", "first cancelled", "second cancelled", "network cancelled"]
    assert outcomes == [OK]


OK = Response(200, (), b"")


async def test_each_request_goes_to_the_upstream_it_names() -> None:
    async with ScriptedUpstream(lambda _: respond(200, b"a")) as a, ScriptedUpstream(lambda _: respond(200, b"b")) as b:
        settings = {
            name: UpstreamSettings.model_validate({"url": upstream.url, "routes": [f"/{name}"]})
            for name, upstream in (("a", a), ("b", b))
        }
        room = Upstreams(settings, 1 << 20, asyncio.get_running_loop().time)
        await room.start()
        outcomes = [await room.send(ask()._replace(upstream=name)) for name in ("a", "b", "a")]
        await room.close()
        assert outcomes == [Response(200, (), b"a"), Response(200, (), b"b"), Response(200, (), b"a")]


async def test_gauges_show_what_is_in_flight_and_what_waits() -> None:
    async with ScriptedUpstream() as upstream, room_for(upstream.url, connections=2, queue=5) as room:
        tasks = [await begin(room, ask()) for _ in range(3)]
        await upstream.arrived(2)
        assert room.gauges() == {"users": Gauges(2, 1, 2, 0, Circuit.CLOSED, {})}
        for number in (1, 2, 3):
            (await upstream.arrived(number)).answer(respond(200))
        await asyncio.gather(*tasks)
        assert room.gauges() == {"users": Gauges(0, 0, 0, 2, Circuit.CLOSED, {})}


async def test_retries_are_counted_by_what_went_wrong_before() -> None:
    async with room_for(f"http://127.0.0.1:{refused_port()}", retries=2) as room:
        await room.send(ask())
        assert room.gauges()["users"].retries == {Reason.UPSTREAM_CONNECT: 2}


async def test_a_retry_does_not_open_the_circuit_twice_as_fast() -> None:
    breaker = {"minimum": 3, "failure_ratio": 1}
    async with ScriptedUpstream(lambda _: close()) as upstream, room_for(upstream.url, retries=1, breaker=breaker) as room:
        await room.send(ask())
        await room.send(ask())
        assert len(upstream.arrivals) == 4
        assert room.gauges()["users"].circuit is Circuit.CLOSED


async def test_nobody_queues_for_an_upstream_whose_circuit_is_open() -> None:
    breaker = {"minimum": 1, "failure_ratio": 1}
    answers = [respond(503)]
    async with (
        ScriptedUpstream(lambda _: answers.pop() if answers else None) as upstream,
        room_for(upstream.url, connections=1, breaker=breaker) as room,
    ):
        held = [await begin(room, ask()) for _ in range(2)]
        await held[0]
        refused = await room.send(ask())
        assert isinstance(refused, Failure)
        assert refused.reason is Reason.CIRCUIT_OPEN
        (await upstream.arrived(2)).answer(respond(200))
        await held[1]


async def test_closing_ends_what_is_in_flight_as_a_failure() -> None:
    async with ScriptedUpstream() as upstream, room_for(upstream.url) as room:
        task = await begin(room, ask())
        await upstream.arrived(1)
        await room.close()
        outcome = await task
        assert isinstance(outcome, Failure)
        assert outcome.reason is Reason.UPSTREAM_CLOSED


@pytest.mark.parametrize("setting", ["ca", "certificate"])
async def test_a_tls_file_that_cannot_be_used_is_named(setting: str) -> None:
    settings = UpstreamSettings.model_validate(
        {"url": "https://users.test", "routes": ["/users"], "tls": {setting: "pyproject.toml"}}
    )
    with pytest.raises(ValueError, match=rf"upstreams.users.tls.{setting} '.*pyproject.toml' cannot be used: "):
        Upstreams({"users": settings}, 1, asyncio.get_running_loop().time)


async def test_a_host_that_is_configured_is_what_requests_say() -> None:
    async with (
        ScriptedUpstream(lambda _: respond(200)) as upstream,
        room_for(upstream.url, headers={"set": {"host": "users.test"}}) as room,
    ):
        await room.send(ask(headers=(("host", "users.test"),)))
        assert upstream.arrivals[0].values("host") == ["users.test"]


async def test_what_is_cancelled_at_the_top_is_closed_before_anybody_else_runs() -> None:
    async with ScriptedUpstream() as upstream, room_for(upstream.url) as room:
        sending = room.send(ask())
        await upstream.arrived(1)
        assert sending.cancel()
        assert room.gauges()["users"].connections == 0
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert not sending.cancel()


async def test_what_has_ended_is_not_cancelled() -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for(upstream.url) as room:
        sending = room.send(ask())
        assert await sending == OK
        assert not sending.cancel()
        assert room.gauges()["users"].idle == 1


async def test_cancelling_in_the_pause_before_a_retry_ends_it() -> None:
    async with room_for(f"http://127.0.0.1:{refused_port()}", retries=10) as room:
        sending = room.send(ask())
        async with asyncio.timeout(5):
            while not room.gauges()["users"].retries:  # noqa: ASYNC110  # a gauge tells nobody when it moves
                await asyncio.sleep(0)
        sending.cancel()
        before = room.gauges()["users"].retries
        await asyncio.wait([sending])
        await asyncio.sleep(0.06)  # longer than the pause
        assert room.gauges()["users"].retries == before


async def test_no_task_and_no_timer_is_made_for_a_request_where_all_goes_well() -> None:
    async with ScriptedUpstream(lambda _: respond(200)) as upstream, room_for(upstream.url) as room:
        await room.send(ask())
        loop = asyncio.get_running_loop()
        made: list[object] = []
        for making in ("create_task", "call_later", "call_at"):
            setattr(loop, making, lambda *arguments, **_: made.append(arguments))
        for _ in range(5):
            await room.send(ask())
        for making in ("create_task", "call_later", "call_at"):
            delattr(loop, making)
        assert made == []
        assert upstream.connections == 1
