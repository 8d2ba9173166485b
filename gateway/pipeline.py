"""The whole gateway on one screen: decode, plan, execute, assemble, encode.

Bytes of a batch in, bytes of its answer out. A Refusal comes out of the first two, and then nothing was sent.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from gateway.batch.assembly import assemble
from gateway.batch.operation import Envelope
from gateway.batch.plan import make_plan
from gateway.batch.results import Finished, summarise
from gateway.dialects.dialect import Asked, Dialect
from gateway.execution.budget import Budget
from gateway.execution.engine import Engine
from gateway.execution.scheduler import execute
from gateway.jsontext import Record
from gateway.messages import Context, Headers

CLIENT_GONE = 499


class Sink(Protocol):
    """Where an answer goes that is written while it is made."""

    async def write(self, piece: bytes) -> None:
        """Send some of the body; waits until the client has read enough. ConnectionError if it has gone."""


Stream = Callable[[Sink], Awaitable["Answer"]]
"""Writes the body of an answer, all but its end. Returns the same answer with that, and with what happened."""


class Answer(Record, frozen=True):
    """What to send to the client, and what happened if a batch was run.

    Status 499: the client has gone, and there is nothing to send. With a `stream` the body is written while it is made; if
    its `length` in bytes is known before, the client is told.
    """

    status: int
    headers: Headers
    body: bytes
    finished: Finished | None = None
    stream: Stream | None = None
    length: int | None = None


async def answer(asked: Asked, dialect: Dialect, context: Context, engine: Engine) -> Answer:
    """Run the batch that is asked for. Raises Refusal if it is refused as a whole."""
    started = engine.clock()
    return await run(dialect.decode(asked, engine.rules), dialect, context, engine, started)


async def run(envelope: Envelope, dialect: Dialect, context: Context, engine: Engine, started: float) -> Answer:
    """Run a batch that began at `started` (seconds of the engine's clock). Raises Refusal if it has no plan."""
    limits = engine.rules.limits
    plan = make_plan(envelope, engine.routes, limits)
    budget = Budget(limits.answer, engine.budget)
    try:
        ended = await execute(plan, engine, context, budget)
        depth = max([step.stage for step in plan.steps], default=0)
        finished = summarise(ended.results, engine.clock() - started, depth)
        if ended.client_gone:
            return Answer(CLIENT_GONE, (), b"", finished)
        encoded = dialect.encode(plan.envelope, assemble(plan, ended.results, limits), finished)
        return Answer(encoded.status, encoded.headers, encoded.body, finished)
    finally:
        budget.release(budget.held)
