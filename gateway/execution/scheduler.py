"""Running a plan, and waiting for it: one future and one timer per batch."""

import asyncio
from typing import NamedTuple, Protocol

from gateway.batch.results import Result
from gateway.batch.step import Plan
from gateway.execution.budget import Budget
from gateway.execution.engine import Engine
from gateway.execution.run import Run
from gateway.messages import Context, Reason


class Ended(NamedTuple):
    """A plan that has run. `client_gone`: nobody is waiting for the answer."""

    results: tuple[Result, ...]
    client_gone: bool


class Follower(Protocol):
    """Who tells the client what has ended while the rest still runs."""

    def note(self, index: int) -> None:
        """A step has ended."""

    async def follow(self, run: Run) -> None:
        """Return when every step has ended. ConnectionError if the client has gone."""


async def execute(plan: Plan, engine: Engine, context: Context, budget: Budget, follower: Follower | None = None) -> Ended:
    """Run `plan` and return one result per step, in the order asked.

    When the caller is cancelled, the client has gone: nothing new is sent, safe requests are cancelled, unsafe ones awaited.
    """
    run = Run(plan, engine, context, budget)
    if follower is not None:
        run.listener = follower.note
    engine.runs.add(run)
    timer = asyncio.get_running_loop().call_later(max(run.deadline - engine.clock(), 0.0), run.expire)
    client_gone = False
    try:
        run.start()
        if follower is not None:
            await follower.follow(run)
        await _wait(run)
    except (asyncio.CancelledError, ConnectionError):
        client_gone = True
        run.stop(Reason.CLIENT_GONE, "the client has closed the connection")
        await _wait(run)
    finally:
        timer.cancel()
        engine.runs.discard(run)
        closing = run.cancel()
        if closing:
            await asyncio.gather(*closing, return_exceptions=True)
    return Ended(tuple([result for result in run.results if result is not None]), client_gone)


async def _wait(run: Run) -> None:
    """Wait until every step has ended. Raises what is a bug of the gateway's."""
    if not run.is_over():
        run.waiter = asyncio.get_running_loop().create_future()
        await run.waiter
    if run.bug is not None:
        raise run.bug
