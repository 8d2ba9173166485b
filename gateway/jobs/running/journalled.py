"""Sending the requests of a batch that runs as a job: a SendThen that remembers.

a  what was answered in an earlier attempt is answered again, and not sent; what was about to be sent then has failed
b  the rest waits for room: jobs have a share of the requests in flight
c  what must not be sent twice is noted, and that is durable, before it is sent
d  what became of it is noted; that is durable no later than any intent that follows from it
e  what an upstream was not asked, as it is failing, is tried again while there is something else in flight, and then held
   over: for another attempt, which is told that it was not sent
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from gateway.batch.job import Job, Series
from gateway.execution.engine import Engine
from gateway.jobs.running.flushing import Flusher
from gateway.jobs.running.journal import Marks, Past, spell_ended, spell_intent, spell_outcome, spell_unsent
from gateway.jobs.running.patience import PAUSE, was_held_off
from gateway.jobs.running.resending import KEY, may_resend
from gateway.jobs.running.share import Claim, Share
from gateway.messages import Failure, Outcome, Reason, Request, SendThen, Ticket

Done = Callable[[Outcome], None]


_INTERRUPTED = Failure(
    Reason.INTERRUPTED, "the gateway was stopped while this was in flight, and it is not sent twice", maybe_processed=True
)


class Journalled:
    """Sends for one attempt at a job's chunk. Nothing goes out before `open`, nor after `close`.

    `listener` is called, if it is set, whenever nothing is in flight.
    """

    def __init__(
        self,
        job: Job,
        past: Past,
        flusher: Flusher,
        share: Share,
        engine: Engine,
        send_then: SendThen,
        keyed: frozenset[str],
        is_left_alone: Callable[[str], bool],
    ) -> None:
        self.listener: Callable[[], None] | None = None
        self._job = job
        self._past = past
        self._flusher = flusher
        self._share = share
        self._clock = engine.clock
        self._onward = send_then
        self._keyed = keyed
        self._is_left_alone = is_left_alone
        self._marks = Marks(engine.routes)
        self._lanes: dict[str, _Lane] = {}
        self._intending: set[_Waiting] = set()
        self._in_flight = 0
        self._held_off: set[_Waiting] = set()
        self._noted = past.size
        self._is_open = False
        self._closed: Failure | None = None

    # a
    def send_then(self, request: Request, done: Done) -> Ticket:
        """The SendThen."""
        mark = self._marks.mark(request)
        outcome: Outcome | None = self._past.outcomes.pop(mark, None)
        if outcome is None and mark in self._past.intents:
            outcome = _INTERRUPTED
        waiting = _Waiting(self, request, mark, done, self._clock())
        if outcome is None:
            outcome = self._closed
        if outcome is not None:
            waiting.is_over = True
            done(outcome)
            return waiting
        lane = self._lane(request.upstream)
        lane.queue.append(waiting)
        self._pump(lane)
        return waiting

    def open(self) -> None:
        """Send what waits, and what comes."""
        self._is_open = True
        for lane in list(self._lanes.values()):
            self._pump(lane)

    def close(self, failure: Failure) -> None:
        """Send nothing more: what has not been sent has this outcome."""
        self._closed = failure
        unsent = [*self._intending, *self._held_off]
        for lane in self._lanes.values():
            unsent += lane.queue
            lane.queue.clear()
        for waiting in unsent:
            if not waiting.is_over:
                waiting.cancel()
                waiting.done(failure)

    def rest(self) -> None:
        """Send nothing new, but what is noted as about to be sent."""
        self._is_open = False

    def is_idle(self) -> bool:
        """Whether nothing is in flight, nor about to be."""
        return not self._in_flight

    def release(self) -> None:
        """Give back all room. Nothing is in flight any more."""
        for lane in self._lanes.values():
            lane.claim.close()

    # b
    def _lane(self, upstream: str) -> "_Lane":
        lane = self._lanes.get(upstream)
        if lane is None:
            lane = self._lanes[upstream] = _Lane(upstream, self._share.claim(self._job.id, partial(self._wake, upstream)))
        return lane

    def _wake(self, upstream: str) -> None:
        lane = self._lanes[upstream]
        if not (lane.queue and self._is_open) and lane.claim.take(upstream):
            lane.claim.leave(upstream)  # who waited for it has gone
        self._pump(lane)

    def _pump(self, lane: "_Lane") -> None:
        while self._is_open and lane.queue:
            if self._is_left_alone(lane.upstream):
                lane.claim.withdraw()
                self.hold_off(lane.queue.popleft())
                continue
            if not lane.claim.take(lane.upstream):
                return
            waiting = lane.queue.popleft()
            waiting.claim = lane.claim
            self._in_flight += 1
            if waiting.is_noted or self._is_resendable(waiting.request):
                self.send(waiting)
            else:
                self._intend(waiting)

    # c
    def _is_resendable(self, request: Request) -> bool:
        is_keyed = request.upstream in self._keyed or _has_key(request)
        return may_resend(self._job.on_interrupt, request.method, is_keyed)

    def _intend(self, waiting: "_Waiting") -> None:
        self._intending.add(waiting)
        waiting.is_noted = True
        self._note(spell_intent(waiting.mark))
        committed = self._flusher.intend([self._noted])
        committed.add_done_callback(partial(self._go_on, waiting))

    def _go_on(self, waiting: "_Waiting", committed: "asyncio.Future[None]") -> None:
        self._intending.discard(waiting)
        if not waiting.is_over and not committed.cancelled():
            self.send(waiting)

    def send(self, waiting: "_Waiting") -> None:
        """Send it. Its time begins now: what it waited for room is not the upstream's."""
        request = waiting.request
        request = request._replace(deadline=request.deadline + self._clock() - waiting.since)
        if request.upstream in self._keyed and not _has_key(request):
            key = (KEY, f"{self._job.id}:{waiting.mark}")
            request = request._replace(headers=(*request.headers, key))
        waiting.ticket = None
        ticket = self._onward(request, waiting.land)
        if not waiting.is_over and waiting.ticket is None:
            waiting.ticket = ticket

    # d
    def keep(self, mark: str, outcome: Outcome) -> None:
        """Note what became of a request."""
        self._note(spell_outcome(mark, outcome))

    def count(self, position: int, succeeded: bool) -> None:
        """Note that a top-level operation has ended, and count it, unless that was done."""
        if position not in self._past.counted:
            self._note(spell_ended(position), succeeded)

    def _note(self, record: bytes, counted: bool | None = None) -> None:
        self._noted += 1
        self._flusher.add(Series.JOURNAL, self._noted, record, counted)

    def leave(self, claim: Claim, upstream: str) -> None:
        """A request that had room has ended."""
        claim.leave(upstream)
        self._in_flight -= 1
        if not self._in_flight and self.listener is not None:
            self.listener()

    def forget(self, waiting: "_Waiting") -> None:
        """It is not to be sent any more."""
        self._intending.discard(waiting)
        self._held_off.discard(waiting)
        lane = self._lanes.get(waiting.request.upstream)
        if lane is not None and waiting in lane.queue:
            lane.queue.remove(waiting)

    # e
    def hold_off(self, waiting: "_Waiting") -> None:
        """Its upstream was not asked."""
        if self._closed is not None:
            waiting.cancel()
            waiting.done(self._closed)
            return
        self._held_off.add(waiting)
        waiting.ticket = asyncio.get_running_loop().call_later(PAUSE, self._try_again, waiting)

    def _try_again(self, waiting: "_Waiting") -> None:
        self._held_off.discard(waiting)
        waiting.ticket = None
        lane = self._lane(waiting.request.upstream)
        lane.queue.append(waiting)
        self._pump(lane)

    def is_stuck(self) -> bool:
        """Whether there is nothing to do but wait for an upstream that is failing.

        What is noted is waited for here, unless the next attempt would know better than to note it: with each that noted it,
        and noted that it was not sent, the journal would grow.
        """
        if not self._held_off or self._in_flight or any(lane.queue for lane in self._lanes.values()):
            return False
        return all(not waiting.is_noted or self._is_left_alone(waiting.request.upstream) for waiting in self._held_off)

    def hold_over(self) -> None:
        """Note what was not sent after all. Another attempt sends it."""
        for waiting in [*self._intending, *self._held_off, *[one for lane in self._lanes.values() for one in lane.queue]]:
            if waiting.is_noted:
                self._note(spell_unsent(waiting.mark))


class _Lane:
    """What waits for room at one upstream."""

    def __init__(self, upstream: str, claim: Claim) -> None:
        self.upstream = upstream
        self.claim = claim
        self.queue: deque[_Waiting] = deque()


class _Waiting:
    """A request that waits or is in flight, and its ticket. `claim` is whose room it takes, while it has some."""

    def __init__(self, journalled: Journalled, request: Request, mark: str, done: Done, since: float) -> None:
        self.request = request
        self.mark = mark
        self.done = done
        self.since = since
        self.claim: Claim | None = None
        self.ticket: Ticket | None = None
        self.is_noted = False
        self.is_over = False
        self._journalled = journalled

    def land(self, outcome: Outcome) -> None:
        """It has ended, unless the upstream was not asked, as it is failing."""
        if was_held_off(outcome):
            self._leave()
            self._journalled.hold_off(self)
            return
        self._end()
        self._journalled.keep(self.mark, outcome)
        self.done(outcome)

    def cancel(self) -> None:
        """End it: it is not sent, or what it holds is closed."""
        if self.is_over:
            return
        ticket = self.ticket
        self._end()
        self._journalled.forget(self)
        if ticket is not None:
            ticket.cancel()

    def _end(self) -> None:
        self.is_over = True
        self.ticket = None
        self._leave()

    def _leave(self) -> None:
        if self.claim is not None:
            claim, self.claim = self.claim, None
            self._journalled.leave(claim, self.request.upstream)


def _has_key(request: Request) -> bool:
    return any(name == KEY for name, _ in request.headers)
