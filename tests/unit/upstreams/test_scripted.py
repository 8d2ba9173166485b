"""What the scripted Send does beyond what every Send promises."""

import asyncio

import pytest

from gateway.messages import Response
from gateway.upstreams.scripted import ScriptedSend
from tests.support.room import ask

OK = Response(200, (), b"")


async def test_all_requests_are_kept_in_order() -> None:
    scripted = ScriptedSend({("GET", "/a"): OK, ("GET", "/b"): OK})
    requests = [ask("/a"), ask("/b"), ask("/a")]
    for request in requests:
        await scripted.send(request)
    assert scripted.requests == requests


async def test_of_two_held_for_one_target_the_first_is_released_first() -> None:
    scripted = ScriptedSend()
    first, second = (asyncio.ensure_future(scripted.send(ask("/a"))) for _ in range(2))
    await scripted.arrived(2)
    scripted.release("/a", OK)
    scripted.release("/a", OK._replace(status=201))
    assert [(await first).status, (await second).status] == [200, 201]  # type: ignore[union-attr]


async def test_releasing_what_is_not_held_says_what_is() -> None:
    scripted = ScriptedSend()
    task = asyncio.ensure_future(scripted.send(ask("/a")))
    await scripted.arrived(1)
    with pytest.raises(LookupError, match=r"no request for /b is held; held are \['/a'\]"):
        scripted.release("/b", OK)
    scripted.release("/a", OK)
    await task
