"""One batch while it runs: a step is sent the moment what it waits for has ended. No levels, no barriers. Nothing here waits.

  a  steps that wait for nothing start; the rest count what they wait for
  b  a step that starts is either refused (stopped, a dependency failed, cannot be filled) or sent, once or once per item
  c  an outcome is judged; when a step has all of its outcomes it has ended, and its followers count down
  d  three things cut in: a failure in a batch that stops on errors, the deadline, a client that has gone
One timer per batch, and no task, timer or future per operation: those were measured to cost half as much again.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from gateway.batch.content import EMPTY
from gateway.batch.lookup import Lookup
from gateway.batch.results import Result, as_coalesced
from gateway.batch.step import Plan, Step
from gateway.batch.template import Resolve, Unfillable
from gateway.execution.awaiting import Awaiting
from gateway.execution.budget import Budget
from gateway.execution.coalescing import Coalescing, share
from gateway.execution.dispatch import Dispatch
from gateway.execution.engine import Engine
from gateway.execution.expansion import Expansion
from gateway.execution.flight import Flight
from gateway.messages import SAFE_METHODS, Context, Failure, Outcome, Reason, Response, SendThen, Ticket


class Run:
    """One batch while it runs. `waiter` is woken when it is over, `bug` is one of the gateway's that has ended it.

    `listener` is told the index of each step that has ended.
    """

    def __init__(self, plan: Plan, engine: Engine, context: Context, budget: Budget) -> None:
        limits = engine.rules.limits
        timeout = plan.envelope.timeout
        self.results: list[Result | None] = [None] * len(plan.steps)
        self.waiter: asyncio.Future[None] | None = None
        self.bug: Exception | None = None
        self.listener: Callable[[int], None] | None = None
        self.deadline = engine.clock() + (limits.timeout if timeout is None else min(timeout, limits.timeout))
        self._plan = plan
        self._clock = engine.clock
        self._longest = limits.operation_timeout
        self._dispatch = Dispatch(Lookup(plan.names, self.results, limits), context, engine.routes, limits, budget)
        self._waiting = [len(step.needs) + len(step.after) for step in plan.steps]
        self._ready = deque(step.index for step in plan.steps if not self._waiting[step.index])
        self._unended = len(plan.steps)
        self._awaiting = Awaiting(engine.send)
        self._send_then: SendThen = engine.send_then or self._awaiting.send_then
        self._in_flight: dict[Flight, Ticket] = {}
        self._earliest: dict[int, int] = {}
        self._expansion = Expansion(plan, limits)
        self._coalescing = Coalescing(plan, engine.clock)
        self._first = self._coalescing.first if plan.envelope.coalesce else None
        self._followers = self._coalescing.followers
        self._stopped: Failure | None = None
        self._advancing = False
        self._paused = False

    # a
    def start(self) -> None:
        """Send what waits for nothing."""
        self._advance()

    def _advance(self) -> None:
        """Start every step that is ready, and those that become so because one ended at once."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._ready and not self._paused:
                self._start(self._plan.steps[self._ready.popleft()])
        except Exception as error:
            self._give_up(error)
        self._advancing = False
        if not self._unended:
            self.wake()

    def pause(self) -> None:
        """Start nothing new for now. What is in flight goes on, and a run that is to end does not wait."""
        self._paused = self._stopped is None

    def resume(self) -> None:
        """Start what has become ready meanwhile."""
        self._paused = False
        if self._ready:
            self._advance()

    def is_over(self) -> bool:
        """Whether every step has ended, or a bug of the gateway's keeps them from it."""
        return not self._unended or self.bug is not None

    def wake(self) -> None:
        """Wake who waits, if somebody does."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def _give_up(self, error: Exception) -> None:
        """A bug ends the run and reaches the caller; left in a callback it would leave him waiting for ever."""
        self._ready.clear()
        self.bug = error
        self.wake()

    # b
    def _start(self, step: Step) -> None:
        refused = self._stopped or (self._failed_dependency(step) if step.needs else None)
        if refused is not None:
            self._end(step, self._unsent(step, refused))
        elif step.operation.for_each is None:
            self._send(step, None, self._dispatch.lookup.resolve)
        else:
            self._expand(step)

    def _failed_dependency(self, step: Step) -> Failure | None:
        """The failure of a step one of whose ancestors failed; its cause is the earliest of them in the order asked."""
        failed = [self._earliest[index] for index in step.needs if index in self._earliest]
        if not failed:
            return None
        self._earliest[step.index] = min(failed)
        label = self._plan.steps[min(failed)].operation.label
        return Failure(Reason.DEPENDENCY_FAILED, f"{label} failed, and this operation depends on it", cause=label)

    def _expand(self, step: Step) -> None:
        reference = step.operation.for_each
        try:
            items = self._dispatch.lookup.items(reference, step.operation.parameters) if reference is not None else []
        except Unfillable as error:
            self._end(step, self._unsent(step, Failure(error.reason, error.detail)))
            return
        refused = self._expansion.grow(step, len(items))
        if refused is not None:
            self._end(step, self._unsent(step, refused))
        elif not items:
            self._end_items(step, ())
        for index, item in enumerate(items if refused is None else ()):
            self._send(step, index, self._dispatch.lookup.resolve_for(item, index))

    def _send(self, step: Step, item: int | None, resolve: Resolve) -> None:
        if self._stopped is not None:
            self._settle(step, item, self._unsent(step, self._stopped, item))
            return
        ready = self._clock()
        request = self._dispatch.fill(step, resolve, self._deadline(step, ready))
        if isinstance(request, Failure):
            self._settle(step, item, self._unsent(step, request, item))
            return
        flight = Flight(self, step, item, request, ready)
        if self._first is not None:
            # Most targets come up once in a batch, so this is all that most requests pay for being sent once.
            first = self._first.setdefault(request.target, flight)
            if first is not flight and self._follow(flight, first):
                return
        ticket = self._send_then(request, flight.land)
        if flight.outcome is None:
            self._in_flight[flight] = ticket

    def _follow(self, flight: Flight, first: Flight) -> bool:
        """Whether a request shares the answer to another one with its target, of which there is at least the first."""
        leader = self._coalescing.find(first, flight)
        if leader is None:
            return False
        if leader.outcome is None:
            self._in_flight[flight] = self._coalescing.join(flight, leader)
        else:
            flight.leader = leader
            self.land(flight, share(leader.outcome, leader, flight))
        return True

    def _deadline(self, step: Step, ready: float) -> float:
        """The operation's own deadline. One that is the batch's or later is put past it, for the batch's timer to tell."""
        seconds = min(step.operation.timeout or self._longest, step.route.timeout, self._longest)
        return ready + seconds if ready + seconds < self.deadline else self.deadline + 1.0

    def _unsent(self, step: Step, failure: Failure, item: int | None = None) -> Result:
        return Result(step.operation, step.route.upstream, failure, EMPTY, item=item)

    # c
    def land(self, flight: Flight, outcome: Outcome) -> None:
        """A request has ended, perhaps before it was noted as in flight."""
        flight.outcome = outcome
        self._in_flight.pop(flight, None)
        try:
            self._settle(flight.step, flight.item, self._judge(flight, outcome))
            if self._followers and flight in self._followers:
                self._lead(flight, outcome)
        except Exception as error:
            self._give_up(error)
        if self._ready or not self._unended:
            self._advance()

    def _lead(self, leader: Flight, outcome: Outcome) -> None:
        """Give followers what became of their leader, or another leader."""
        coalescing = self._coalescing
        followers = coalescing.release(leader)
        for follower in followers:
            del self._in_flight[follower]
        patient = coalescing.find_patient(leader, outcome, followers)
        for follower in followers:
            if follower not in patient:
                self.land(follower, share(outcome, leader, follower))
        if patient:
            heir = coalescing.choose_heir(patient)
            for follower in patient:
                if follower is not heir:
                    self._in_flight[follower] = coalescing.join(follower, heir)
            ticket = self._send_then(heir.request, heir.land)
            if heir.outcome is None:
                self._in_flight[heir] = ticket

    def _judge(self, flight: Flight, outcome: Outcome) -> Result:
        duration = self._clock() - flight.ready
        result = self._dispatch.judge(flight.step, outcome, flight.request.target, flight.ready, duration, flight.item)
        return result if flight.leader is None else as_coalesced(result)

    def _settle(self, step: Step, item: int | None, result: Result) -> None:
        """An operation, or one item of it, has its result."""
        if item is None:
            self._end(step, result)
            return
        self._note_failure(step, result)
        items = self._expansion.settle(step, item, result)
        if items is not None:
            self._end_items(step, items)

    def _note_failure(self, step: Step, result: Result) -> None:
        if not result.succeeded and self._plan.envelope.stop_on_error and self._stopped is None:
            detail = f"{step.operation.label} answered {result.status}, and the batch stops at the first failure"
            self._stop(Failure(Reason.STOPPED, detail))

    def _end_items(self, step: Step, items: tuple[Result, ...]) -> None:
        status = 200 if all(item.succeeded for item in items) else 207
        outcome = Response(status, (), b"")
        self._end(step, Result(step.operation, step.route.upstream, outcome, EMPTY, items=items))

    def _end(self, step: Step, result: Result) -> None:
        if not result.succeeded:
            self._earliest[step.index] = min(step.index, self._earliest.get(step.index, step.index))
            self._note_failure(step, result)
        self.results[step.index] = result
        self._unended -= 1
        if self.listener is not None:
            self.listener(step.index)
        for follower in step.followers:
            self._waiting[follower] -= 1
            if not self._waiting[follower]:
                self._ready.append(follower)

    # d
    def stop(self, reason: Reason, detail: str) -> None:
        """Start nothing new, cancel the safe requests in flight and let the unsafe ones end. The rest fails with `reason`."""
        self._stop(self._stopped or Failure(reason, detail))
        self._advance()

    def _stop(self, why: Failure) -> None:
        self._stopped = why
        self._paused = False
        for flight in [flight for flight in self._in_flight if flight.request.method in SAFE_METHODS]:
            self._cut(flight, why)

    def expire(self) -> None:
        """The deadline of the batch has passed."""
        self.finish_now(Reason.BATCH_DEADLINE, "the batch's time was over before this operation ended")

    def finish_now(self, reason: Reason, detail: str) -> None:
        """End the run with what it has. Requests in flight are closed; an unsafe one says that it may have been processed."""
        if not self._unended or self.bug is not None:
            return
        self._stopped = Failure(reason, detail)
        self._paused = False
        self._advancing = True
        for flight in list(self._in_flight):
            failure = self._stopped
            if flight.request.method not in SAFE_METHODS:
                failure = Failure(reason, f"{detail}; it was in flight and may have been processed", maybe_processed=True)
            self._cut(flight, failure)
        self._advancing = False
        self._advance()

    def _cut(self, flight: Flight, failure: Failure) -> None:
        """Cancel a request, if it is still in flight: this is what became of it."""
        ticket = self._in_flight.pop(flight, None)
        if ticket is None:
            return
        ticket.cancel()
        self._settle(flight.step, flight.item, self._judge(flight, failure))

    def cancel(self) -> "set[asyncio.Future[Outcome]]":
        """Cancel what is still in flight. What has been cancelled and has not closed yet what it held."""
        self._coalescing.clear()
        while self._in_flight:
            _, ticket = self._in_flight.popitem()
            ticket.cancel()
        return self._awaiting.closing
