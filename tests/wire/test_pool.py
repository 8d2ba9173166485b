"""Whatever upstream, network and clients do: every request has its own answer or a failure, once, and nothing is left over."""

import asyncio
import contextlib
from collections import Counter
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config.upstreams import UpstreamSettings
from gateway.messages import Failure, Outcome, Reason, Request, Response
from gateway.upstreams.stack import Upstreams
from tests.support.memory_network import LeapingLoop, Link, MemoryNetwork
from tests.support.upstream import Arrival

SLACK = 0.05
"""Seconds by which deadlines are swept late."""


class Ask(NamedTuple):
    """A request: seconds after the one before, for how long it may take, when it is cancelled (seconds after it was sent)."""

    gap: float
    method: str
    patience: float
    cancelled: float | None


class Fate(NamedTuple):
    """What the upstream does with a request: after how long, what, and seconds between the pieces."""

    delay: float
    kind: str
    pause: float


class World(NamedTuple):
    """One run. Fates come in the order of arrival, connects in the order of attempts; after the last all goes well."""

    connections: int
    queue: int
    keepalive: float
    max_age: float
    first_byte: float | None
    retries: int
    asks: list[Ask]
    fates: list[Fate]
    connects: list[str]


PLAIN = ["length", "chunked", "until-close", "close", "interim", "pieces"]
FAULTS = [
    "hang-up",
    "reset",
    "cut",
    "cut-reset",
    "stall",
    "stall-in-body",
    "garbage",
    "surplus",
    "late-surplus",
    "late-hang-up",
]

delays = st.sampled_from([0.0, 0.0, 0.001, 0.1, 0.4, 0.7])

worlds = st.builds(
    World,
    connections=st.integers(1, 3),
    queue=st.sampled_from([0, 1, 3, 50]),
    keepalive=st.sampled_from([0.0, 0.2, 5.0]),
    max_age=st.sampled_from([0.5, 100.0]),
    first_byte=st.sampled_from([None, 0.3]),
    retries=st.integers(0, 2),
    asks=st.lists(
        st.builds(
            Ask,
            delays,
            st.sampled_from(["GET", "GET", "HEAD", "PUT", "POST", "POST"]),
            st.sampled_from([0.0, 0.05, 0.6, 3.0]),
            st.none() | delays,
        ),
        min_size=1,
        max_size=14,
    ),
    fates=st.lists(st.builds(Fate, delays, st.sampled_from(PLAIN + FAULTS), delays), max_size=14),
    connects=st.lists(st.sampled_from(["well", "well", "slow", "refused", "hangs", "dies"]), max_size=6),
)


def answer(arrival: Arrival, kind: str) -> list[bytes]:
    """The pieces of an answer that names the request it is for."""
    token = f"{arrival.method} {arrival.target}".encode()
    name = b"HTTP/1.1 200 OK\r\nX-For: " + token + b"\r\n"
    if arrival.method == "HEAD":
        return [name + b"Content-Length: %d\r\n\r\n" % len(token)]
    length = name + b"Content-Length: %d\r\n\r\n" % len(token)
    match kind:
        case "chunked":
            return [name + b"Transfer-Encoding: chunked\r\n\r\n", b"%x\r\n%b\r\n" % (len(token), token), b"0\r\n\r\n"]
        case "until-close":
            return [name + b"\r\n", token]
        case "close":
            return [name + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(token), token]
        case "interim":
            return [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n" + length + token]
        case "pieces":
            return [length[:9], length[9:], token[:3], token[3:]]
        case "cut" | "cut-reset" | "stall-in-body":
            return [length, token[:-1]]
        case "garbage":
            return [b"\0\1\2 nonsense\r\n\r\n"]
        case "surplus":
            return [length + token + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"]
        case _:
            return [length + token]


class Play:
    """The upstream of a world, and what it saw go wrong."""

    def __init__(self, world: World) -> None:
        self._fates = iter(world.fates)
        self._connects = iter(world.connects)
        self.network = MemoryNetwork(self.begin, self.accept)
        self.wrongs: list[str] = []

    async def accept(self, number: int) -> None:
        match next(self._connects, "well"):
            case "slow":
                await asyncio.sleep(0.1)
            case "refused":
                raise ConnectionRefusedError(111, "refused")
            case "hangs":
                await asyncio.sleep(1000)
            case "dies":
                asyncio.get_running_loop().call_soon(self.hang_up, number)
            case _:
                pass

    def hang_up(self, number: int) -> None:
        """As soon as there is a connection."""
        for link in [link for link in self.network.open if link.number == number]:
            link.hang_up()

    def begin(self, arrival: Arrival, link: Link) -> None:
        if len(link.waiting) > 1:
            self.wrongs.append(f"connection {link.number} has {len(link.waiting)} requests at a time")
        delay, kind, pause = next(self._fates, Fate(0.0, "length", 0.0))
        if arrival.method == "HEAD" and kind in {"cut", "cut-reset", "stall-in-body"}:
            kind = "length"  # there is no body
        asyncio.get_running_loop().call_later(delay, self.go_on, link, answer(arrival, kind), kind, pause)

    def go_on(self, link: Link, pieces: list[bytes], kind: str, pause: float) -> None:
        later = asyncio.get_running_loop().call_later
        if not link.open:
            return
        match kind:
            case "hang-up":
                link.hang_up()
                return
            case "reset":
                link.reset()
                return
            case "stall":
                return
            case _:
                pass
        if len(pieces) == 1 and not kind.startswith(("cut", "stall")):
            link.settle()
        link.tell(pieces[0])
        if len(pieces) > 1:
            later(pause, self.go_on, link, pieces[1:], kind, pause)
            return
        match kind:
            case "until-close" | "close" | "cut":
                link.hang_up()
            case "cut-reset":
                link.reset()
            case "late-surplus":
                later(pause, self.speak_unasked, link)
            case "late-hang-up":
                later(pause, link.hang_up)
            case _:
                pass

    def speak_unasked(self, link: Link) -> None:
        if link.idle:  # else nobody could tell it from the answer to what was asked
            link.tell(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL")


class Told(NamedTuple):
    """How a request ended; None if it was cancelled. `late` in seconds."""

    request: Request
    outcome: Outcome | None
    late: float


async def ask_all(world: World, room: Upstreams, play: Play) -> list[Told]:
    loop = asyncio.get_running_loop()

    def look() -> None:
        gauges = room.gauges()["users"]
        if len(play.network.open) > world.connections or gauges.connections > world.connections:
            play.wrongs.append(f"{len(play.network.open)} connections, {gauges}")
        if gauges.waiting > world.queue or min(gauges[:4]) < 0:
            play.wrongs.append(f"{gauges}")

    async def follow(request: Request, cancelled: float | None) -> Told:
        sending = asyncio.ensure_future(room.send(request))
        timer = None if cancelled is None else loop.call_later(cancelled, sending.cancel)
        await asyncio.wait([sending])
        if timer is not None:
            timer.cancel()
        look()
        late = loop.time() - request.deadline
        return Told(request, None if sending.cancelled() else sending.result(), late)

    async with asyncio.TaskGroup() as group:
        following = []
        for number, (gap, method, patience, cancelled) in enumerate(world.asks):
            await asyncio.sleep(gap)
            body = None if method in {"GET", "HEAD"} else b"0123456789"
            request = Request("users", method, f"/users/{number}", (), body, loop.time() + patience)
            following.append(group.create_task(follow(request, cancelled)))
            look()
    return [task.result() for task in following]


async def run(world: World, play: Play) -> list[Told]:
    """All of a world, until its connections have grown old."""
    given = {
        "url": "http+unix://%2Fmemory",
        "routes": ["/users"],
        "connections": world.connections,
        "queue": world.queue,
        "keepalive": world.keepalive,
        "max_age": world.max_age,
        "first_byte_timeout": world.first_byte,
        "connect_timeout": 0.3,
        "retries": world.retries,
        "breaker": {"enabled": False},
    }
    loop = asyncio.get_running_loop()
    room = Upstreams({"users": UpstreamSettings.model_validate(given)}, 1 << 20, loop.time, random=lambda: 0.5)
    await room.start()
    told = await ask_all(world, room, play)
    gauges = room.gauges()["users"]
    assert (gauges.in_flight, gauges.waiting) == (0, 0)
    await asyncio.sleep(world.keepalive + 2)
    gauges = room.gauges()["users"]
    assert (gauges.busy, gauges.idle, len(play.network.open)) == (0, 0, 0)
    await room.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return told


def judge(world: World, told: list[Told], arrivals: Counter[str]) -> None:
    for request, outcome, late in told:
        times = arrivals[request.target]
        assert times <= (1 if request.method == "POST" else 1 + world.retries)
        match outcome:
            case Response():
                token = f"{request.method} {request.target}"
                body = b"" if request.method == "HEAD" else token.encode()
                assert outcome[:3] == (200, (("x-for", token),), body)
                assert times >= 1
            case Failure():
                assert outcome.reason is not Reason.INTERNAL
                assert outcome.maybe_processed or not times or request.method in {"GET", "HEAD"}
                assert late <= SLACK
            case None:
                pass


@settings(max_examples=250, deadline=None)
@given(worlds)
def test_every_request_has_its_own_answer_or_a_failure(world: World) -> None:
    play = Play(world)
    with contextlib.closing(LeapingLoop(play.network)) as loop:
        told = loop.run_until_complete(run(world, play))
    assert play.wrongs == []
    assert play.network.most <= world.connections
    assert len(told) == len(world.asks)
    judge(world, told, Counter(arrival.target for arrival in play.network.arrivals))
