import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from gateway.commands.workers.channel import Channel, Word


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Channel, Channel]]:
    one, other = [await Channel.open(end) for end in socket.socketpair()]
    yield one, other
    await one.close()
    await other.close()


async def test_what_is_said_is_heard_in_order(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    one.send(Word.STATES, {"listening": True})
    one.send(Word.DRAIN)
    assert [await other.receive(), await other.receive()] == [(Word.STATES, {"listening": True}), (Word.DRAIN, None)]


async def test_a_megabyte_is_one_line(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    one.send(Word.METRICS, "x\n" * 500_000)
    assert await other.receive() == (Word.METRICS, "x\n" * 500_000)


async def test_the_end_is_heard_after_everything_that_was_said(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    one.send(Word.FAILED, "no")
    await one.close()
    assert [await other.receive(), await other.receive()] == [(Word.FAILED, "no"), None]


async def test_nobody_there_is_no_error(ends: tuple[Channel, Channel]) -> None:
    one, other = ends
    one.send(Word.DRAIN)  # never read: the other end goes with it, which resets the connection
    await other.close()
    for _ in range(3):
        one.send(Word.DRAIN)
        await asyncio.sleep(0)
    assert await one.receive() is None


async def test_half_a_line_is_nothing() -> None:
    ours, theirs = socket.socketpair()
    channel = await Channel.open(ours)
    with theirs:
        theirs.sendall(b'["drain",')
    assert await channel.receive() is None
    await channel.close()
