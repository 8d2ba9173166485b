"""Bodies that are taken as they arrive, and answers whose length is told before they are written."""

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from gateway.dialects.dialect import Asked, Encoded
from gateway.dialects.problem import encode_refusal
from gateway.errors import Refusal
from gateway.messages import Context
from gateway.pipeline import Answer, Sink
from gateway.places.place import Takes
from gateway.server.settings import Patience
from tests.support.public_edge import running_edge

LONGEST = 100


@dataclass
class Uploads:
    """Takes a stream and says what it was told."""

    takes: ClassVar[Takes] = Takes.STREAM
    dialect: str = "openai"
    longest: int = LONGEST
    pieces: list[bytes] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, asked: Asked, context: Context) -> Answer:
        assert asked.stream is not None
        async for piece in asked.stream:
            self.pieces.append(piece)
            self.arrived.set()
        return Answer(200, (("content-type", "text/plain"),), b"".join(self.pieces))

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        return encode_refusal(refusal, request_id)


@dataclass
class Downloads:
    """Drops what it is sent, and answers piece by piece, with its length first. `told` may be a lie."""

    takes: ClassVar[Takes] = Takes.NOTHING
    dialect: str = "openai"
    told: int = 6
    asked: Asked | None = None

    async def serve(self, asked: Asked, context: Context) -> Answer:
        self.asked = asked

        async def stream(sink: Sink) -> Answer:
            await sink.write(b"one")
            return Answer(200, (), b"two")

        return Answer(200, (("content-type", "text/plain"),), b"", stream=stream, length=self.told)

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        return encode_refusal(refusal, request_id)


def post(framing: str, body: bytes, more: str = "") -> bytes:
    return f"POST /files HTTP/1.1\r\nhost: a\r\n{more}{framing}\r\n\r\n".encode() + body


async def test_a_body_is_taken_piece_by_piece_before_it_is_all_there() -> None:
    place = Uploads()
    async with running_edge(places={"/files": {"POST": place}}) as running:
        client = await running.connect()
        client.write(post("content-length: 6", b"one"))
        await place.arrived.wait()
        assert place.pieces == [b"one"]
        client.write(b"two")
        assert (await client.receive()).body == b"onetwo"
        exchange = await running.exchange()
        assert (exchange.bytes_in, exchange.route) == (6, "/files")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (post(f"content-length: {LONGEST}", b"x" * LONGEST), 200),
        (post(f"content-length: {LONGEST + 1}", b""), 413),
        (post("transfer-encoding: chunked", b"65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n"), 413),
        (post("content-length: 3", b"abc", "content-encoding: gzip\r\n"), 415),
        (post("transfer-encoding: chunked", b"zz\r\n"), 400),
    ],
    ids=["as long as may be", "longer, by its head", "longer, as it turns out", "encoded", "no chunks"],
)
async def test_what_a_stream_may_be(sent: bytes, status: int) -> None:
    async with running_edge(places={"/files": {"POST": Uploads()}}) as running:
        assert (await running.send(sent)).status == status


async def test_a_stream_that_stops_arriving_is_refused() -> None:
    patience = Patience(body_timeout=0.05)
    async with running_edge(places={"/files": {"POST": Uploads()}}, patience=patience) as running:
        assert (await running.send(post("content-length: 9", b"one"))).status == 408


async def test_a_client_is_told_the_length_before_the_answer_and_the_connection_goes_on() -> None:
    place = Downloads()
    async with running_edge(places={"/files/{id}/cancel": {"POST": place}}) as running:
        client = await running.connect()
        for _ in range(2):
            client.write(b"POST /files/f/cancel?a=1 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}")
            answer = await client.receive()
            assert (answer.status, answer.headers["content-length"], answer.body) == (200, "6", b"onetwo")
            assert "transfer-encoding" not in answer.headers
        assert place.asked is not None
        assert place.asked[:4] == (b"", "a=1", {"host": "a", "content-length": "2"}, ("f",))
        assert (place.asked.method, place.asked.path) == ("POST", "/files/f/cancel")


async def test_an_answer_shorter_than_was_told_ends_its_connection() -> None:
    async with running_edge(places={"/files": {"POST": Downloads(told=9)}}) as running:
        client = await running.connect()
        client.write(b"POST /files HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")
        with pytest.raises(asyncio.IncompleteReadError) as cut:
            await client.receive()
        assert cut.value.partial == b"onetwo"
