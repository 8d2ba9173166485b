"""The whole gateway on one screen: decode, plan, execute, assemble, encode.

Bytes of a batch in, bytes of its answer out. A Refusal comes out of the first two, and then nothing was sent.
"""

from gateway.batch.assembly import assemble
from gateway.batch.plan import make_plan
from gateway.batch.results import Finished, summarise
from gateway.dialects.dialect import Dialect
from gateway.execution.budget import Budget
from gateway.execution.engine import Engine
from gateway.execution.scheduler import execute
from gateway.jsontext import Record
from gateway.messages import Context, Headers

CLIENT_GONE = 499


class Answer(Record, frozen=True):
    """What to send to the client, and what happened. Status 499: the client has gone, and there is nothing to send."""

    status: int
    headers: Headers
    body: bytes
    finished: Finished


async def answer(body: bytes, dialect: Dialect, context: Context, engine: Engine) -> Answer:
    """Run the batch in `body`. Raises Refusal if it is refused as a whole."""
    started = engine.clock()
    limits = engine.rules.limits
    plan = make_plan(dialect.decode(body, engine.rules), engine.routes, limits)
    budget = Budget(limits.answer, engine.budget)
    try:
        ended = await execute(plan, engine, context, budget)
        depth = max([step.stage for step in plan.steps])
        finished = summarise(ended.results, engine.clock() - started, depth)
        if ended.client_gone:
            return Answer(CLIENT_GONE, (), b"", finished)
        encoded = dialect.encode(plan.envelope, assemble(plan, ended.results, limits), finished)
        return Answer(encoded.status, encoded.headers, encoded.body, finished)
    finally:
        budget.release(budget.held)
