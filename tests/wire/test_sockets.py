"""Raw answers over real connections: the outcome is the table's, and the next request has its own answer."""

import asyncio

import pytest

from gateway.messages import Outcome, Response
from tests.support.feeding import Fed
from tests.support.raw_answers import RawAnswer, read_corpus
from tests.support.room import ask, room_for
from tests.support.upstream import Answer, Arrival, ScriptedUpstream, close, respond

LARGE = 8 << 20
"""Bytes: more than the buffers of two sockets hold."""

CORPUS = read_corpus()

OVER_SOCKETS = [
    case
    for name, case in CORPUS.items()
    if name.startswith(
        ("length", "chunked", "until", "connection", "http-1-0", "20", "30", "head-", "interim", "switch", "body")
    )
]


async def take(case: RawAnswer, answer: Answer) -> tuple[Fed, Outcome, int]:
    """The case's outcome, that of the request after it, and on how many connections."""

    def script(arrival: Arrival) -> Answer:
        return answer if arrival.target == "/users/first" else respond(200, arrival.target.encode())

    async with ScriptedUpstream(script) as upstream, room_for(upstream.url, response_limit=case.limit) as room:
        outcome = await room.send(ask("/users/first", case.method))
        kept = room.gauges()["users"].idle == 1
        following = await room.send(ask("/users/second"))
        gauges = room.gauges()["users"]
        assert (gauges.in_flight, gauges.waiting, gauges.connections) == (0, 0, 1)
        return Fed(outcome, kept, case.closes), following, upstream.connections


@pytest.mark.parametrize("case", OVER_SOCKETS, ids=[case.name for case in OVER_SOCKETS])
async def test_over_a_socket(case: RawAnswer) -> None:
    ends = case.closes or case.reason == "upstream-closed"
    fed, following, connections = await take(case, close(case.raw) if ends else Answer((case.raw,)))
    case.judge(fed)
    assert following == Response(200, (), b"/users/second")
    if case.again != "either":
        assert connections == (1 if case.again else 2)


async def test_bytes_that_come_while_a_connection_idles_are_nobodys() -> None:
    async with (
        ScriptedUpstream(lambda arrival: respond(200, arrival.target.encode())) as upstream,
        room_for(upstream.url) as room,
    ):
        for number in range(1, 6):
            assert await room.send(ask(f"/users/{number}")) == Response(200, (), f"/users/{number}".encode())
            exchange = upstream.exchanges[-1]
            exchange.answer(respond(200, b"unasked"))
            await exchange.gone()
        assert upstream.connections == 5


@pytest.mark.parametrize(
    "answer", [respond(413, b"too large"), close(respond(413, b"too large").parts[0])], ids=["keep", "close"]
)
async def test_an_answer_before_the_body_was_read_counts(answer: Answer) -> None:
    async with ScriptedUpstream(lambda _: answer, answer_at_head=True) as upstream, room_for(upstream.url) as room:
        outcome = await room.send(ask(method="PUT", body=b"x" * LARGE))
        assert outcome == Response(413, (), b"too large")
        assert room.gauges()["users"].connections == 0
        await upstream.exchanges[0].gone()


async def test_a_request_is_cancelled_in_the_middle_of_its_answer() -> None:
    async with ScriptedUpstream() as upstream, room_for(upstream.url) as room:
        sending = asyncio.ensure_future(room.send(ask("/users/first")))
        exchange = await upstream.arrived(1)
        exchange.answer(CORPUS["length-short"].raw)
        sending.cancel()
        await exchange.gone()
        second = asyncio.ensure_future(room.send(ask("/users/second")))
        (await upstream.arrived(2)).answer(respond(200, b"second"))
        assert await second == Response(200, (), b"second")
        assert upstream.connections == 2
