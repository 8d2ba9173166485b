"""Running a batch with references as a job: the ordinary run of its plan, with sends that remember.

  a  the input is decoded and planned again; what the configuration does not take any more fails the job with its problems,
     and so it fails if somebody took the input away, or what was noted of earlier attempts
  b  the plan runs: outcomes of earlier attempts are given back at once, then the rest is sent
  c  a job that ends early starts nothing new, lets what is unsafe in flight end, and has a result for everything
  d  in an orderly stop nothing new is sent, what is in flight is noted, and the rest is for the next start; and where all
     that is left has to wait for an upstream that is failing, the rest is for later
  e  the document of results is one record: a line for each top-level operation in the order asked, then the summary,
     as native_lines spells them (NDJSON). Finalising copies it as it stands
A job may take until its time is over; the batch's own `timeout` counts from when an attempt begins.
"""

import asyncio
import dataclasses

from gateway.batch.assembly import assemble_one
from gateway.batch.compile import Rules
from gateway.batch.job import Chunk, Job, JobKind, LineProblem, Series, State
from gateway.batch.plan import make_plan
from gateway.batch.results import Result, summarise
from gateway.batch.step import Plan
from gateway.dialects.dialect import Asked, Dialect
from gateway.dialects.native_lines import NDJSON, Lines
from gateway.errors import Refusal
from gateway.execution.awaiting import Awaiting
from gateway.execution.budget import Budget
from gateway.execution.families import Families
from gateway.execution.run import Run
from gateway.execution.scheduler import Ended, execute
from gateway.jobs.asker import load_asker
from gateway.jobs.drain import Drain
from gateway.jobs.ending.states import ENDED, fail
from gateway.jobs.gone import Gone, read_exactly
from gateway.jobs.keys import input_of
from gateway.jobs.running.chunks import HandedBack, is_poison
from gateway.jobs.running.flushing import Fenced, Flusher, flushing
from gateway.jobs.running.journal import Past, recall
from gateway.jobs.running.journalled import Journalled
from gateway.jobs.running.sending import LOOK_AGAIN
from gateway.jobs.running.share import Share
from gateway.jobs.wiring import Wiring
from gateway.messages import Failure, Reason

GRACE = 60.0
"""Seconds past its time until a job that nobody has ended ends by itself."""

_NOT_COUNTED = frozenset({Reason.JOB_CANCELLED, Reason.JOB_EXPIRED})


class Envelopes:
    """Runs the chunks of native jobs; each has the whole batch. `spoken` reads it."""

    def __init__(self, wiring: Wiring, share: Share, spoken: Dialect) -> None:
        self._wiring = wiring
        self._share = share
        self._spoken = spoken

    async def run(self, chunk: Chunk, job: Job) -> None:
        """Run one, and make its results safe. HandedBack if it is for later, Fenced if it is not ours any more."""
        try:
            past = await self._recall(chunk)
            if past is None:
                return
            body = await read_exactly(self._wiring.files, input_of(job.id), chunk.start, chunk.size)
        except Gone:
            detail = "The input of this batch, or what was noted of its requests, is gone."
            raise await self._fail(chunk, LineProblem(Reason.STORAGE_FAILED.value, detail)) from None
        plan = await self._plan(chunk, body)
        await self._wait_for_room()
        async with flushing(self._wiring, chunk, JobKind.NATIVE) as flusher:
            flusher.ending = job.ending
            try:
                ended, budget = await self._execute(chunk, job, plan, past, flusher)
            except HandedBack:
                await flusher.finish()
                raise
            except asyncio.CancelledError:
                await flusher.flush()
                raise
            try:
                flusher.add(Series.RESULTS, 0, self._spell(plan, ended, job), None)
            finally:
                budget.release(budget.held)

    async def _recall(self, chunk: Chunk) -> Past | None:
        """What is known of earlier attempts; None if the results are safe already."""
        async with self._wiring.records.begin() as tx:
            parts = await tx.parts(chunk.job, chunk=chunk.number)
        if any(part.series is Series.RESULTS for part in parts):
            return None
        return recall([(part, await read_exactly(self._wiring.files, part.key, 0, part.size)) for part in parts])

    # a
    async def _plan(self, chunk: Chunk, body: bytes) -> Plan:
        engine = self._wiring.engine
        try:
            return make_plan(self._spoken.decode(Asked(body), engine.rules), engine.routes, engine.rules.limits)
        except Refusal as refusal:
            problems = [LineProblem(one.reason.value, one.detail, one.pointer) for one in refusal.problems]
            raise await self._fail(chunk, *problems or [LineProblem(refusal.reason.value, refusal.detail)]) from None

    async def _fail(self, chunk: Chunk, *problems: LineProblem) -> Fenced:
        """End the job; what keeps this attempt from doing anything else."""
        await fail(self._wiring, chunk, problems)
        return Fenced(f"{chunk.job} has failed")

    async def _wait_for_room(self) -> None:
        """What finds the gateway's memory spent would fail for good: better to begin later."""
        budget, drain = self._wiring.engine.budget, self._wiring.drain
        while budget.is_nearly_spent() and not drain.is_on:  # noqa: ASYNC110  # a budget wakes nobody
            await asyncio.sleep(LOOK_AGAIN)

    # b
    async def _execute(self, chunk: Chunk, job: Job, plan: Plan, past: Past, flusher: Flusher) -> tuple[Ended, Budget]:
        wiring = self._wiring
        engine = wiring.engine
        onward = engine.send_then or Awaiting(engine.send).send_then
        journalled = Journalled(job, past, flusher, self._share, engine, onward, wiring.keyed_upstreams, wiring.is_left_alone)
        steering = _Steering(plan, flusher, journalled, wiring.drain)
        if is_poison(chunk, wiring.settings.attempts):
            detail = f"{chunk.attempts - 1} attempts to run this were cut short"
            steering.given_up = Failure(Reason.JOB_ABANDONED, detail)
        # Not among the engine's runs: these are the live ones, for which jobs make room, and which are answered at the end.
        own = dataclasses.replace(
            engine, send_then=journalled.send_then, runs=set(), rules=_patient(engine.rules, job.expires_at - wiring.now())
        )
        budget = Budget(engine.rules.limits.answer, engine.budget)
        try:
            ended = await execute(plan, own, load_asker(job.asker), budget, steering)
            if ended.client_gone:
                raise asyncio.CancelledError
        except BaseException:
            budget.release(budget.held)
            raise
        finally:
            journalled.release()
        return ended, budget

    # e
    def _spell(self, plan: Plan, ended: Ended, job: Job) -> bytes:
        limits = self._wiring.engine.rules.limits
        lines = Lines(NDJSON, plan.envelope)
        results: list[Result | None] = list(ended.results)
        spelled = [lines.entry(position, assemble_one(plan, results, index, limits)) for position, index in enumerate(plan.top)]
        took = max(0.0, self._wiring.now() - job.reached.get(State.IN_PROGRESS, job.created_at))
        return b"".join(spelled) + lines.summary(summarise(ended.results, took))


def _patient(rules: Rules, seconds: float) -> Rules:
    """The same rules for a batch that has so many seconds."""
    return dataclasses.replace(rules, limits=dataclasses.replace(rules.limits, timeout=max(0.0, seconds) + GRACE))


class _Steering:
    """Follows one attempt: counts what has ended, and ends it early where that is to be. `given_up` says why from the start."""

    def __init__(self, plan: Plan, flusher: Flusher, journalled: Journalled, drain: Drain) -> None:
        self.given_up: Failure | None = None
        self._plan = plan
        self._flusher = flusher
        self._journalled = journalled
        self._drain = drain
        self._families = Families(plan)
        self._run: Run | None = None
        self._early: list[int] = []
        self._is_ending = False
        self._is_cut = False

    def note(self, index: int) -> None:
        """A step has ended. Counted when all that belongs to its top-level operation has, unless it was never sent."""
        position = self._families.end(index)
        if position is None or self._is_cut:
            return
        if self._run is None:
            self._early.append(position)
        else:
            self._count(position, self._run.results)

    def _count(self, position: int, results: list[Result | None]) -> None:
        top = results[self._plan.top[position]]
        if top is not None and not _is_uncounted(top):
            self._journalled.count(position, self._succeeded(self._plan.top[position], results))

    def _succeeded(self, index: int, results: list[Result | None]) -> bool:
        """Whether an operation and all below it have."""
        result = results[index]
        if result is None or not result.succeeded or any(not item.succeeded for item in result.items or ()):
            return False
        return all(self._succeeded(child, results) for child in self._plan.steps[index].nested)

    async def follow(self, run: Run) -> None:
        """Return when every step has ended."""
        self._run = run
        for position in self._early:
            self._count(position, run.results)
        self._flusher.listener = self._look
        self._journalled.listener = run.wake
        self._drain.listen(self._look)
        try:
            self._look()
            if self.given_up is not None:
                self._end(self.given_up)
            elif not self._drain.is_on:
                self._journalled.open()
            while not run.is_over():
                if self._is_for_later():
                    self._cut()
                    raise HandedBack("the gateway is being stopped, or an upstream is failing")
                run.waiter = asyncio.get_running_loop().create_future()
                await run.waiter
        except asyncio.CancelledError:
            self._cut()
            self._journalled.close(Failure(Reason.CLIENT_GONE, "the attempt was cut short"))
            raise
        finally:
            self._flusher.listener = None
            self._drain.ignore(self._look)

    def _look(self) -> None:
        """Whether it is to end early, or to come to rest."""
        if self._flusher.ending is not None and not self._is_ending:
            self._end(ENDED[self._flusher.ending])
        if self._drain.is_on and self._run is not None:
            self._journalled.rest()
            self._run.wake()

    # c
    def _end(self, why: Failure) -> None:
        self._is_ending = True
        if self._run is not None:
            self._run.stop(why.reason, why.detail)
            self._journalled.close(why)

    # d
    def _is_for_later(self) -> bool:
        if self._drain.is_on:
            return self._drain.is_over or self._journalled.is_idle()
        # The time that a batch gives itself begins with the attempt.
        return self._plan.envelope.timeout is None and self._journalled.is_stuck()

    def _cut(self) -> None:
        self._is_cut = True
        self._journalled.hold_over()


def _is_uncounted(result: Result) -> bool:
    outcome = result.outcome
    return isinstance(outcome, Failure) and outcome.reason in _NOT_COUNTED and not outcome.maybe_processed
