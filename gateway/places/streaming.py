"""Where the answer to a native batch may be read while the batch runs.

a  an Accept that asks for it makes a stream of the answer; everything else is the plain place's
b  a top-level operation has its line when it and all that is nested in it have ended
c  lines go out together: those of one turn of the event loop in one write, and no operation starts until the client reads
d  a heartbeat where there was nothing to write for a while
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from gateway.batch.assembly import assemble_one
from gateway.batch.limits import Limits
from gateway.batch.plan import make_plan
from gateway.batch.results import summarise
from gateway.batch.step import Plan
from gateway.dialects.accepted import choose
from gateway.dialects.dialect import Asked, Encoded
from gateway.dialects.native_lines import EVENTS, NDJSON, Form, Lines
from gateway.errors import Refusal
from gateway.execution.budget import Budget
from gateway.execution.families import Families
from gateway.execution.run import Run
from gateway.execution.scheduler import execute
from gateway.messages import Context
from gateway.pipeline import CLIENT_GONE, Answer, Sink
from gateway.places.batches import Batches
from gateway.places.place import Takes

_FORMS = {form.content_type: form for form in (NDJSON, EVENTS)}
_OFFERED = ("application/json", *_FORMS)
_FULL = 64 << 10
"""Bytes of lines that are written at once. More are not even spelled before the client has read these."""

_SLACK = 0.001
"""Seconds by which a timer of the event loop may come too early: uvloop counts milliseconds."""


@dataclass(frozen=True, slots=True)
class StreamedBatches:
    """Runs native batches. `heartbeat` is in seconds."""

    takes: ClassVar[Takes] = Takes.JSON
    plain: Batches
    heartbeat: float

    @property
    def dialect(self) -> str:
        """The dialect's name."""
        return self.plain.dialect

    # a
    async def serve(self, asked: Asked, context: Context) -> Answer:
        """The answer, whole or to be streamed. Raises a Refusal if the batch is unusable, and then nothing was sent."""
        form = _FORMS.get(choose(asked.headers.get("accept", ""), _OFFERED))
        if form is None:
            return await self.plain.serve(asked, context)
        engine = self.plain.engine
        started = engine.clock()
        envelope = self.plain.spoken.decode(asked, engine.rules)
        plan = make_plan(envelope, engine.routes, engine.rules.limits)
        return Answer(200, form.headers, b"", None, partial(self._stream, plan, form, context, started))

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        """As the plain answer is refused."""
        return self.plain.refuse(refusal, request_id)

    async def _stream(self, plan: Plan, form: Form, context: Context, started: float, sink: Sink) -> Answer:
        engine = self.plain.engine
        limits = engine.rules.limits
        budget = Budget(limits.answer, engine.budget)
        streaming = Streaming(plan, form, limits, sink, self.heartbeat)
        try:
            ended = await execute(plan, engine, context, budget, streaming)
            finished = summarise(ended.results, engine.clock() - started, max([step.stage for step in plan.steps], default=0))
            if ended.client_gone:
                return Answer(CLIENT_GONE, (), b"", finished)
            return Answer(200, form.headers, streaming.rest + streaming.lines.summary(finished), finished)
        finally:
            budget.release(budget.held)


class Streaming:
    """One answer on its way to a client. `rest` are the lines left to write when every step has ended.

    Lines are spelled when there is room for them, so what waits for a slow client is held once: as the batch's bodies.
    """

    def __init__(self, plan: Plan, form: Form, limits: Limits, sink: Sink, heartbeat: float) -> None:
        self.lines = Lines(form, plan.envelope)
        self.rest = b""
        self._plan = plan
        self._limits = limits
        self._sink = sink
        self._heartbeat = heartbeat
        self._beat = form.heartbeat
        self._is_beat_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._quiet_since = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._ended: deque[int] = deque()
        self._families = None if len(plan.top) == len(plan.steps) else Families(plan)

    # b
    def note(self, index: int) -> None:
        """A step has ended."""
        position = index if self._families is None else self._families.end(index)
        if position is not None:
            self._ended.append(position)
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # c
    async def follow(self, run: Run) -> None:
        """Write lines until all steps have ended. ConnectionError if the client has gone."""
        self._timer = asyncio.get_running_loop().call_later(self._heartbeat, self._look)
        try:
            await self._write(run, b"")
            while True:
                piece = self._spell(run)
                if run.is_over() and not self._ended and len(piece) < _FULL:
                    # More is written here, while its bytes count as held.
                    self.rest = piece
                    return
                if piece or self._is_beat_due:
                    await self._write(run, piece or self._beat)
                else:
                    run.waiter = self._waiter = asyncio.get_running_loop().create_future()
                    await self._waiter
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _spell(self, run: Run) -> bytes:
        spelled: list[bytes] = []
        size = 0
        while self._ended and size < _FULL:
            position = self._ended.popleft()
            entry = assemble_one(self._plan, run.results, self._plan.top[position], self._limits)
            spelled.append(self.lines.entry(position, entry))
            size += len(spelled[-1])
        return b"".join(spelled)

    async def _write(self, run: Run, piece: bytes) -> None:
        run.pause()
        await self._sink.write(piece)
        self._is_beat_due = False
        self._quiet_since = asyncio.get_running_loop().time()
        run.resume()

    # d
    def _look(self) -> None:
        """Whether it has been quiet for long enough. One timer, set anew when it rings: lines need not touch it."""
        loop = asyncio.get_running_loop()
        left = self._heartbeat - (loop.time() - self._quiet_since)
        if left <= _SLACK:
            left = self._heartbeat
            self._is_beat_due = True
            self._wake()
        self._timer = loop.call_later(left, self._look)
