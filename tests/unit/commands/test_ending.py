import asyncio

import pytest

from gateway.commands.ending import Ending, run_unless


async def test_the_second_request_is_to_hurry() -> None:
    ending = Ending()
    ending.ask()
    first = (ending.stop.is_set(), ending.hurry.is_set())
    ending.ask()
    assert (first, ending.hurry.is_set()) == ((True, False), True)


async def test_work_is_done_unless_the_event_comes_first() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("begun")
        await asyncio.sleep(0)
        done.append("ended")

    assert await run_unless(asyncio.Event(), work())
    assert done == ["begun", "ended"]


async def test_work_is_cut_short_and_has_cleaned_up() -> None:
    event, cleaned = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        event.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    assert not await run_unless(event, work())
    assert cleaned.is_set()


async def test_what_work_raises_is_raised() -> None:
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await run_unless(asyncio.Event(), work())
