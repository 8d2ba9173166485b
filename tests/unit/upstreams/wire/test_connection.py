"""One connection: what is written and when, what closes it, and what its call is told."""

import asyncio
from typing import Any, cast

import pytest

from gateway.messages import Reason
from gateway.upstreams.wire.broken import Broken
from gateway.upstreams.wire.connection import SLICE, Connection

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Transport(asyncio.Transport):
    """Keeps what is written; `room` is how many bytes it takes before it says that it has enough."""

    def __init__(self, room: int = 1 << 30) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.aborted = False
        self.room = room
        self.protocol: asyncio.BaseProtocol | None = None

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))
        self.room -= len(data)
        if self.room < 0 and self.protocol is not None:
            self.protocol.pause_writing()

    def abort(self) -> None:
        self.aborted = True


class Play:
    """A connection with a call and an owner that note what they are told."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.told: list[str] = []
        self.until = 0.0
        self.transport = Transport(room)
        self.connection = Connection(self, 1 << 20)
        self.transport.protocol = cast(asyncio.Protocol, self.connection)
        self.connection.connection_made(self.transport)

    def send(self, body: bytes | None = None, method: str = "GET") -> None:
        self.connection.send(self, method, b"HEAD", body)

    def answered(self, connection: Connection) -> None:
        self.told.append(f"answered {connection.reader.take_body().decode()}")

    def broken(self, connection: Connection, error: Broken) -> None:
        self.told.append(f"broken {error.reason.value}")

    def lost(self, connection: Connection, error: Exception | None) -> None:
        self.told.append(f"lost {error}")

    def closed(self, connection: Connection) -> None:
        self.told.append("closed")

    def end_wait(self, now: float) -> None:
        """Never waits."""

    def look(self, now: float) -> None:
        """Never late."""

    def fail(self, reason: Reason, what: str) -> None:
        """Never ended from outside."""


def test_a_small_body_goes_out_with_its_head() -> None:
    play = Play()
    play.send(b"body")
    assert play.transport.written == [b"HEADbody"]


def test_a_large_body_goes_out_as_fast_as_it_is_taken() -> None:
    body = bytes(range(256)) * (SLICE // 64)
    play = Play(room=2 * SLICE)
    play.send(body)
    assert [len(part) for part in play.transport.written] == [4, SLICE, SLICE]
    play.transport.room = SLICE - 1
    play.connection.resume_writing()
    assert len(play.transport.written) == 4
    play.transport.room = 1 << 30
    play.connection.resume_writing()
    assert b"".join(play.transport.written) == b"HEAD" + body
    play.connection.data_received(ANSWER)
    assert (play.told, play.transport.aborted) == (["answered ok"], False)


def test_an_answer_before_the_body_was_sent_is_given_and_the_connection_closed() -> None:
    play = Play(room=SLICE)
    play.send(b"x" * 4 * SLICE)
    play.connection.data_received(ANSWER)
    assert (play.told, play.transport.aborted) == (["closed", "answered ok"], True)
    play.connection.resume_writing()
    assert len(play.transport.written) == 2


def test_an_upstream_that_closes_before_the_body_was_sent_is_not_waited_for() -> None:
    play = Play(room=SLICE)
    play.send(b"x" * 4 * SLICE)
    play.connection.eof_received()
    assert (play.told, play.transport.aborted) == (["closed", "lost None"], True)


@pytest.mark.parametrize("data", [ANSWER, b"\r\n", b"x"])
def test_bytes_on_an_idle_connection_close_it(data: bytes) -> None:
    play = Play()
    play.send()
    play.connection.data_received(ANSWER)
    play.connection.data_received(data)
    assert (play.told, play.transport.aborted) == (["answered ok", "closed"], True)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (ANSWER + b"!", ["closed", "answered ok"]),
        (ANSWER[:-4] + b"Connection: close\r\n\r\nok", ["closed", "answered ok"]),
        (b"no HTTP\r\n", ["closed", "broken upstream-protocol"]),
    ],
    ids=["surplus", "close", "broken"],
)
def test_the_owner_hears_of_the_end_before_the_call_does(raw: bytes, told: list[str]) -> None:
    play = Play()
    play.send()
    play.connection.data_received(raw)
    play.connection.connection_lost(None)
    assert (play.told, play.transport.aborted) == (told, True)


def test_an_answer_without_length_ends_with_the_connection() -> None:
    play = Play()
    play.send()
    play.connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert play.told == []
    play.connection.eof_received()
    assert play.told == ["closed", "answered hello"]


def test_an_answer_without_length_that_is_broken_off_is_none() -> None:
    play = Play()
    play.send()
    play.connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nhello")
    play.connection.connection_lost(ConnectionResetError("reset"))
    assert play.told == ["closed", "lost reset"]


def test_what_is_aborted_tells_its_call_nothing() -> None:
    play = Play()
    play.send()
    play.connection.abort()
    play.connection.abort()
    play.connection.data_received(ANSWER)
    play.connection.connection_lost(None)
    assert (play.told, play.transport.aborted) == (["closed"], True)


def test_a_connection_given_up_while_it_was_made_is_closed_once_it_is() -> None:
    play = Play()
    transport = Transport()
    connection = Connection(play, 1)
    connection.abort()
    connection.connection_made(transport)
    assert transport.aborted
