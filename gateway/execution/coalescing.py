"""Requests of one batch that are alike are sent once: the first is the leader, the others share what becomes of it.

Alike are GETs, or HEADs, with the same upstream, target and headers (traceparent aside) that come after the same unsafe
operations: what one of those changed must not be hidden from who waited for it.

Each keeps its own time. A follower whose time is over before the leader's answer is there gets its own timeout. A leader whose
own time is over fails only those who have no more time left than it had: of the others, the one with the most is sent in its
place, and the rest follow that one.
"""

import asyncio
from collections.abc import Callable

from gateway.batch.step import Plan
from gateway.execution.flight import Flight
from gateway.messages import SAFE_METHODS, Failure, Outcome, Reason, Response

_COALESCED = frozenset({"GET", "HEAD"})

_LEAST_TIME = 0.01
"""Seconds. Requests made in one turn have deadlines a little apart: with less than this left another try is no use."""

_Key = tuple[str, str, str, frozenset[tuple[str, str]], frozenset[int]]
"""Target, upstream, method, headers, unsafe operations before it."""


class Coalescing:
    """The leaders of one batch and who follows them. `clock` as the engine's.

    `first` are the first requests for each target, and whoever sends adds to it.
    """

    def __init__(self, plan: Plan, clock: Callable[[], float]) -> None:
        self.first: dict[str, Flight] = {}
        self.followers: dict[Flight, dict[Flight, Seat]] = {}
        self._plan = plan
        self._clock = clock
        self._leaders: dict[_Key, Flight] = {}
        self._unsafe: dict[int, frozenset[int]] = {}

    def find(self, first: Flight, flight: Flight) -> Flight | None:
        """The leader for a request, given the first one for its target; None if there is none, and it may be one itself."""
        if flight.request.method not in _COALESCED or not flight.step.route.coalesce:
            return None
        self._leaders.setdefault(self._key(first), first)
        key = self._key(flight)
        leader = self._leaders.setdefault(key, flight)
        if leader is flight:
            return None
        if leader.outcome is not None and self._has_more_time(flight, leader, leader.outcome):
            self._leaders[key] = flight
            return None
        return leader

    def join(self, flight: Flight, leader: Flight) -> "Seat":
        """Let a request follow a leader that is in flight; the ticket to leave it by."""
        flight.leader = leader
        seats = self.followers.setdefault(leader, {})
        seat = seats[flight] = Seat(seats, flight)
        if flight.request.deadline < leader.request.deadline:
            left = max(flight.request.deadline - self._clock(), 0.0)
            seat.timer = asyncio.get_running_loop().call_later(left, seat.expire)
        return seat

    def release(self, leader: Flight) -> list[Flight]:
        """The followers of a leader that has ended; they follow it no more."""
        seats = self.followers.pop(leader)
        followers = list(seats)
        for seat in list(seats.values()):
            seat.cancel()
        return followers

    def find_patient(self, leader: Flight, outcome: Outcome, followers: list[Flight]) -> list[Flight]:
        """Which of them a leader does not fail, because it was only the leader's time that was over."""
        return [one for one in followers if self._has_more_time(one, leader, outcome)]

    def choose_heir(self, patient: list[Flight]) -> Flight:
        """Who of them is to be sent, for the others to follow."""
        heir = max(patient, key=_deadline)
        heir.leader = None
        self._leaders[self._key(heir)] = heir
        return heir

    def _has_more_time(self, flight: Flight, leader: Flight, outcome: Outcome) -> bool:
        """Whether a leader failed for want of time, and a request has some left."""
        if isinstance(outcome, Response) or outcome.reason is not Reason.UPSTREAM_TIMEOUT:
            return False
        soon = self._clock() + _LEAST_TIME
        return leader.request.deadline <= soon < flight.request.deadline

    def clear(self) -> None:
        """Forget every request: they refer to the batch, and the batch to this."""
        self.first.clear()
        self._leaders.clear()
        self.followers.clear()

    def _key(self, flight: Flight) -> _Key:
        request = flight.request
        headers = frozenset([line for line in request.headers if line[0] != "traceparent"])
        return request.target, request.upstream, request.method, headers, self._unsafe_before(flight.step.index)

    def _unsafe_before(self, index: int) -> frozenset[int]:
        """The steps with unsafe methods that a step comes after, directly or not."""
        known = self._unsafe.get(index)
        if known is None:
            steps = self._plan.steps
            before: set[int] = set()
            waiting = [index]
            while waiting:
                step = steps[waiting.pop()]
                for earlier in step.needs + step.after:
                    if earlier not in before:
                        before.add(earlier)
                        waiting.append(earlier)
            known = frozenset([earlier for earlier in before if steps[earlier].operation.method not in SAFE_METHODS])
            self._unsafe[index] = known
        return known


class Seat:
    """A follower's ticket."""

    __slots__ = ("_flight", "_seats", "timer")

    def __init__(self, seats: "dict[Flight, Seat]", flight: Flight) -> None:
        self._seats = seats
        self._flight = flight
        self.timer: asyncio.TimerHandle | None = None

    def cancel(self) -> None:
        """Follow no more."""
        self._seats.pop(self._flight, None)
        if self.timer is not None:
            self.timer.cancel()

    def expire(self) -> None:
        """The follower's time is over, and the leader's is not."""
        self.cancel()
        upstream = self._flight.request.upstream
        self._flight.land(Failure(Reason.UPSTREAM_TIMEOUT, f"{upstream} did not answer in the time that this operation had"))


def share(outcome: Outcome, leader: Flight, follower: Flight) -> Outcome:
    """What a leader's outcome is to a follower: the same, of the waiting what fell into the follower's time."""
    if not outcome.queued:
        return outcome
    return outcome._replace(queued=max(outcome.queued - (follower.ready - leader.ready), 0.0))


def _deadline(flight: Flight) -> float:
    return flight.request.deadline
