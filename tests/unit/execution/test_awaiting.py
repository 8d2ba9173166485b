"""A Send that is awaited, as a SendThen."""

import asyncio

from gateway.execution.awaiting import Awaiting
from gateway.messages import Outcome, Request
from tests.support.batches import HeldSend, ok, turn

REQUEST = Request("any", "GET", "/any/a", (), None, 0.0)


async def test_the_outcome_is_given_to_the_function_and_not_before_the_ticket_is_there() -> None:
    held = HeldSend()
    outcomes: list[Outcome] = []
    Awaiting(held).send_then(REQUEST, outcomes.append)
    assert outcomes == []
    await held.end("/any/a", ok(1))
    assert outcomes == [ok(1)]


async def test_nobody_is_told_of_what_was_cancelled_even_if_it_had_just_ended() -> None:
    held = HeldSend()
    outcomes: list[Outcome] = []
    awaiting = Awaiting(held)
    tickets = [awaiting.send_then(REQUEST, outcomes.append) for _ in range(2)]
    held.futures[0].set_result(ok(1))
    for ticket in tickets:
        ticket.cancel()
    await turn()
    assert outcomes == []
    assert held.futures[1].cancelled()


async def test_what_was_cancelled_is_closing_until_it_has_let_go() -> None:
    closed = asyncio.Event()

    async def send(_: Request) -> Outcome:
        try:
            await asyncio.Event().wait()
        finally:
            await closed.wait()
        raise AssertionError

    outcomes: list[Outcome] = []
    awaiting = Awaiting(send)
    ticket = awaiting.send_then(REQUEST, outcomes.append)
    await turn()
    ticket.cancel()
    await turn()
    assert len(awaiting.closing) == 1
    closed.set()
    await turn()
    assert (awaiting.closing, outcomes) == (set(), [])
