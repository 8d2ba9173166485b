"""Sending the lines of one chunk: as many at one time as its share allows, none before there is room for its result.

  a  some lines at a time are made ready, and each waits until there is room for it
  b  where it must not be sent twice, that it is about to be is committed first: once there is room for it, or, where the
     upstream is so quick that room would stand empty while a commit takes, for a few lines ahead
  c  what came of it is spelled and handed to the flusher
  d  a job that ends sends nothing more: the rest is spelled unsent
  e  when the upstream is failing, and is not asked, or in an orderly stop, nothing more is sent either: the rest is for later
No task, future or timer per line, as in execution.run and for the same reason.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Sequence

from gateway.batch.job import Job
from gateway.execution.awaiting import Awaiting
from gateway.jobs.ending.states import ENDED
from gateway.jobs.kind import Line, LineFormat
from gateway.jobs.running.flights import Flight, Noted
from gateway.jobs.running.flushing import Flusher
from gateway.jobs.running.pace import Pace
from gateway.jobs.running.patience import PAUSE, was_held_off
from gateway.jobs.running.preparing import Preparation, Prepared
from gateway.jobs.running.recording import Recorder
from gateway.jobs.running.share import Share
from gateway.jobs.wiring import Wiring
from gateway.messages import Failure, Outcome, Reason

MOST_UNSAFE = 4 << 20
"""Bytes of results that may wait for a flush before nothing more is sent."""

LOOK_AGAIN = 0.1
"""Seconds until a chunk looks again whether the gateway has memory to spare."""

GATHERING = 0.001
"""Seconds that an answer waits for others to be looked at together with them."""

AT_ONCE = 8
"""Lines that are made ready one after the other, for the reason that `land` gives."""


class Sending:
    """The lines of a chunk that have no results yet, on their way."""

    def __init__(
        self,
        wiring: Wiring,
        job: Job,
        lines: LineFormat,
        share: Share,
        flusher: Flusher,
        left: Sequence[Line],
        pace: Pace,
    ) -> None:
        self._flusher = flusher
        self._recorder = Recorder(job, lines, flusher)
        self._drain = wiring.drain
        self._is_left_alone = wiring.is_left_alone
        self._engine = wiring.engine
        self._awaiting = Awaiting(wiring.engine.send)
        self._send_then = wiring.engine.send_then or self._awaiting.send_then
        self._preparation = Preparation(wiring, job, lines)
        self._left = deque(left)
        self._made: deque[Prepared] = deque()
        self._intending: dict[asyncio.Future[None], list[Noted]] = {}
        self._noted: deque[Noted] = deque()
        self._pace = pace
        self._is_noting = False
        self._flights: set[Flight] = set()
        self._landed: list[Flight] = []
        self._claim = share.claim(job.id, self._advance)
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._is_held_off = False
        self._advancing = False

    def begin(self) -> "asyncio.Future[None]":
        """Send; the future is done when there is nothing more to be done. `end` comes afterwards, also if it fails."""
        self._flusher.listener = self._advance
        self._drain.listen(self._advance)
        self._advance()
        return self._over

    @property
    def is_complete(self) -> bool:
        """Whether every line has its result now; if not when it is over, the rest is for later."""
        return not (self._left or self._intending or self._noted or self._made)

    @property
    def unsent(self) -> list[int]:
        """The lines that are noted as about to be sent, or will be by the last flush, and are not, as it was cut short."""
        return [noted.prepared.line.number for some in (self._noted, *self._intending.values()) for noted in some]

    def end(self) -> "Collection[asyncio.Future[Outcome]]":
        """Send no more; what to wait for until nothing is being sent either."""
        self._flusher.listener = None
        self._drain.ignore(self._advance)
        if not self._over.done():
            self._over.cancel()
        for flight in self._flights:
            if was_held_off(flight.outcome):
                self._put_back(flight)
            elif flight.outcome is not None:
                self._keep_result(flight)
            else:
                if flight.ticket is not None:
                    flight.ticket.cancel()
                self._left.append(flight.prepared.line)
            self._claim.leave(flight.prepared.upstream)
        self._flights.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._pace.forget(self._advance)
        self._give_up(self._noted)
        self._claim.close()
        return self._awaiting.closing

    def _advance(self) -> None:
        if self._advancing or self._over.done():
            return
        self._advancing = True
        try:
            while self._step():
                pass
        except Exception as error:
            self._over.set_exception(error)
        self._advancing = False
        if not self._over.done() and (self._is_done() or self._drain.is_over):
            self._over.set_result(None)

    def _is_done(self) -> bool:
        if self._flights or self._intending or (self._noted and not self._is_put_off()):
            return False
        return self._drain.is_on or self._is_held_off or not (self._made or self._left)

    def _is_put_off(self) -> bool:
        """Whether what is noted is handed back, and not sent."""
        return self._is_held_off or (self._drain.is_on and self._timer is not None)

    # a
    def _step(self) -> bool:
        """Whether there may be more to do at once."""
        if self._flusher.ending is not None:
            return self._end_one(ENDED[self._flusher.ending])
        if self._timer is not None or self._is_held_off:
            return False
        if self._noted:
            # Also in an orderly stop: otherwise it would be taken for interrupted.
            noted = self._noted[0]
            if noted.has_room or self._claim.take(noted.prepared.upstream):
                self._noted.popleft()
                if not noted.has_room:
                    self._pace.release(1)
                self._send(noted.prepared)
                return True
        elif self._is_ready() and self._made[0].resends:
            if not self._claim.take(self._made[0].upstream):
                return False
            self._send(self._made.popleft())
            return True
        return self._is_ready() and not self._made[0].resends and self._intend()

    def _is_ready(self) -> bool:
        """Whether the next line is made ready, and may be sent as far as memory goes."""
        if self._drain.is_on or self._flusher.unflushed > MOST_UNSAFE or self._has_no_memory():
            return False
        while self._left and not self._made:
            for _ in range(min(AT_ONCE, len(self._left))):
                line = self._left.popleft()
                prepared = self._preparation.prepare(line)
                if isinstance(prepared, Failure):
                    self._recorder.record_unsent(line, prepared)
                else:
                    self._made.append(prepared)
        return bool(self._made)

    def _has_no_memory(self) -> bool:
        if self._engine.budget.is_nearly_spent():
            self._timer = self._timer or asyncio.get_running_loop().call_later(LOOK_AGAIN, self._look_again)
        return self._timer is not None

    def _look_again(self) -> None:
        self._timer = None
        self._advance()

    # b
    def _intend(self) -> bool:
        """Note the next line, if it is not too early for that, and can be sent."""
        if self._is_left_alone(self._made[0].upstream):
            self._is_held_off = True
            return False
        if self._pace.ahead:
            has_room, self._is_noting = False, self._pace.may_note(self._is_noting, self._advance)
        else:
            has_room = self._is_noting = self._claim.take(self._made[0].upstream)
        if not self._is_noting:
            return False
        prepared = self._made.popleft()
        intent = self._flusher.intend([prepared.line.number])
        if intent not in self._intending:
            self._intending[intent] = []
            intent.add_done_callback(self._note)
        self._intending[intent].append(Noted(prepared, has_room))
        return True

    def _note(self, intent: "asyncio.Future[None]") -> None:
        noted = self._intending.pop(intent)
        if intent.cancelled() or self._over.done():
            self._give_up(noted)
            self._left.extendleft([one.prepared.line for one in reversed(noted)])
            self._advance()
            return
        self._noted.extend(noted)
        self._advance()
        self._pace.adapt(len(self._noted))
        self._advance()

    def _give_up(self, noted: Iterable[Noted]) -> None:
        """These are not sent after all, or not from here."""
        for one in noted:
            if one.has_room:
                self._claim.leave(one.prepared.upstream)
            else:
                self._pace.release(1)

    def _send(self, prepared: Prepared) -> None:
        request = self._preparation.fill(prepared)
        if isinstance(request, Failure):
            self._claim.leave(prepared.upstream)
            self._recorder.record_unsent(prepared.line, request)
            return
        flight = Flight(self, prepared, request, self._engine.clock())
        self._flights.add(flight)
        flight.ticket = self._send_then(request, flight.land)

    # c
    def land(self, flight: Flight, outcome: Outcome) -> None:
        """A request has ended, perhaps before its sending has returned.

        Those that end in one turn of the event loop are looked at together: one after the other each has the whole of the code
        to fetch into the processor's caches, which was measured to cost a third of all.
        """
        flight.outcome = outcome
        self._landed.append(flight)
        if len(self._landed) == 1:
            asyncio.get_running_loop().call_later(GATHERING, self._look_at_landed)

    def _look_at_landed(self) -> None:
        landed, self._landed = self._landed, []
        try:
            for flight in landed:
                if was_held_off(flight.outcome) and flight in self._flights:
                    self._put_back(flight)
                else:
                    self._keep_result(flight)
        except Exception as error:
            if not self._over.done():
                self._over.set_exception(error)
        for flight in landed:
            if flight in self._flights:
                self._flights.discard(flight)
                self._claim.pass_on(flight.prepared.upstream)
        self._advance()
        self._claim.settle()

    def _keep_result(self, flight: Flight) -> None:
        if flight.outcome is not None and flight in self._flights:
            line = flight.prepared.line
            self._pace.saw(self._engine.clock() - flight.started)
            result = self._preparation.judge(flight.prepared, flight.request, flight.outcome, flight.started)
            self._recorder.record(line, result, self._preparation.request_id(line))

    # d
    def _end_one(self, why: Failure) -> bool:
        """Spell a line unsent, if there is one."""
        if self._noted:
            self._give_up([noted := self._noted.popleft()])
            line = noted.prepared.line
        elif self._made:
            line = self._made.popleft().line
        elif self._left:
            line = self._left.popleft()
        else:
            return False
        self._recorder.record_unsent(line, why)
        return True

    # e
    def _put_back(self, flight: Flight) -> None:
        prepared = flight.prepared
        if prepared.resends:
            self._made.appendleft(prepared)
        else:
            self._noted.appendleft(Noted(prepared, has_room=False))
            self._pace.take_back()
        if isinstance(flight.outcome, Failure) and flight.outcome.reason is Reason.CIRCUIT_OPEN:
            self._is_held_off = True
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PAUSE, self._look_again)
