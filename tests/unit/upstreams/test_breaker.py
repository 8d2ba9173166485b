"""A failing upstream is left alone, tried by one request, and taken back."""

import pytest

from gateway.messages import Failure, Outcome, Reason, Request, Response, Ticket
from gateway.upstreams.breaker import Breaker, Circuit, judge
from gateway.upstreams.sending import Outer, Sending, Way
from tests.support.clock import Clock

REQUEST = Request("users", "GET", "/users/1", (), None, deadline=2000.0)
OK = Response(200, (), b"")
DOWN = Failure(Reason.UPSTREAM_CONNECT, "refused")


class Held:
    """A request that the upstream has and does not answer until the test says what."""

    def __init__(self, outer: Outer, sending: Sending) -> None:
        self._outer = outer
        self.sending = sending
        self.cancelled = False

    def answer(self, outcome: Outcome) -> None:
        self._outer.finish(self.sending, outcome)


class Play:
    """A breaker round an upstream that answers at once what the test sets, or holds the request if that is None."""

    outer: Outer

    def __init__(self, minimum: int = 4, failure_ratio: float = 0.5) -> None:
        self.clock = Clock()
        self.outcome: Outcome | None = OK
        self.takes = 0.0
        self.sent: list[Held] = []
        self.breaker = Breaker(
            "users (http://users:8080)",
            failure_ratio=failure_ratio,
            minimum=minimum,
            window=10.0,
            cooldown=5.0,
            patience=1.0,
            clock=self.clock,
        )
        self._way = Way([self.breaker], self, self.clock)

    def start(self, sending: Sending) -> None:
        held = Held(self.outer, sending)
        self.sent.append(held)
        self.clock.now += self.takes
        if self.outcome is not None:
            held.answer(self.outcome)

    def cancel(self, sending: Sending) -> None:
        (held,) = [one for one in self.sent if one.sending is sending]
        held.cancelled = True

    def begin(self, request: Request = REQUEST) -> tuple[Ticket, list[Outcome]]:
        """Send; the ticket, and the outcome when there is one."""
        outcomes: list[Outcome] = []
        return self._way.send_then(request, outcomes.append), outcomes

    def send(self, request: Request = REQUEST) -> Outcome:
        (outcome,) = self.begin(request)[1]
        return outcome

    def send_many(self, count: int, outcome: Outcome) -> None:
        self.outcome = outcome
        for _ in range(count):
            self.send()

    def circuit(self) -> Circuit:
        return self.breaker.circuit

    def open(self) -> None:
        self.send_many(4, DOWN)
        assert self.circuit() is Circuit.OPEN


@pytest.mark.parametrize("minimum", [1, 4, 20])
def test_opens_at_the_minimum_and_not_before(minimum: int) -> None:
    play = Play(minimum)
    play.send_many(minimum - 1, DOWN)
    assert play.circuit() is Circuit.CLOSED
    play.send_many(1, DOWN)
    assert play.circuit() is Circuit.OPEN


def test_opens_at_the_ratio_and_not_below() -> None:
    play = Play(minimum=10)
    play.send_many(6, OK)
    play.send_many(5, DOWN)
    assert play.circuit() is Circuit.CLOSED
    play.send_many(1, DOWN)
    assert play.circuit() is Circuit.OPEN


def test_forgets_failures_older_than_the_window() -> None:
    play = Play()
    play.send_many(3, DOWN)
    play.clock.now += 10
    play.send_many(1, DOWN)
    assert play.circuit() is Circuit.CLOSED


def test_open_it_fails_at_once_and_sends_nothing() -> None:
    play = Play()
    play.open()
    play.clock.now += 4
    outcome = play.send()
    assert outcome == Failure(
        Reason.CIRCUIT_OPEN,
        "users (http://users:8080) failed 4 of its last 4 requests in 10 s; the next is let through in 1.0 s",
    )
    assert len(play.sent) == 4


def test_half_open_one_probe_passes_and_the_others_fail_at_once() -> None:
    play = Play()
    play.open()
    play.clock.now += 5
    assert play.circuit() is Circuit.HALF_OPEN
    play.outcome = None
    _, probe = play.begin()
    other = play.send()
    assert isinstance(other, Failure)
    assert other.reason is Reason.CIRCUIT_OPEN
    assert len(play.sent) == 5
    play.sent[-1].answer(OK)
    assert probe == [OK]
    assert play.circuit() is Circuit.CLOSED


def test_a_failed_probe_opens_it_again_for_the_whole_cooldown() -> None:
    play = Play()
    play.open()
    play.clock.now += 5
    play.send_many(1, DOWN)
    play.clock.now += 4.9
    assert play.circuit() is Circuit.OPEN
    play.clock.now += 0.1
    play.send_many(1, OK)
    assert play.circuit() is Circuit.CLOSED


def test_a_cancelled_probe_leaves_the_way_to_the_next() -> None:
    play = Play()
    play.open()
    play.clock.now += 5
    play.outcome = None
    ticket, outcomes = play.begin()
    ticket.cancel()
    assert (outcomes, play.sent[-1].cancelled) == ([], True)
    play.send_many(1, OK)
    assert play.circuit() is Circuit.CLOSED


def test_cancelling_a_probe_that_has_ended_does_not_let_a_second_one_pass() -> None:
    play = Play()
    play.open()
    play.clock.now += 5
    play.outcome = Failure(Reason.UPSTREAM_OVERLOADED, "tells nothing")
    ended, _ = play.begin()
    play.outcome = None
    play.begin()
    ended.cancel()
    assert isinstance(play.send(), Failure)
    assert len(play.sent) == 6


def test_cancelling_while_it_is_closed_cancels_what_was_sent() -> None:
    play = Play()
    play.outcome = None
    ticket, outcomes = play.begin()
    ticket.cancel()
    assert (outcomes, play.sent[-1].cancelled) == ([], True)


@pytest.mark.parametrize("late", [OK, DOWN], ids=["success", "failure"])
def test_what_was_sent_before_it_opened_neither_closes_it_nor_keeps_it_open(late: Outcome) -> None:
    play = Play()
    play.outcome = None
    _, outcomes = play.begin()
    play.open()
    play.clock.now += 4
    play.sent[0].answer(late)
    assert outcomes == [late]
    assert play.circuit() is Circuit.OPEN
    play.clock.now += 1
    assert play.circuit() is Circuit.HALF_OPEN


def test_it_starts_to_count_again_once_it_has_closed() -> None:
    play = Play()
    play.open()
    play.clock.now += 5
    play.send_many(1, OK)
    play.send_many(3, DOWN)
    assert play.circuit() is Circuit.CLOSED


def run_into_deadlines(play: Play, seconds: float, queued: float = 0.0) -> None:
    """Fifty requests that had so many seconds, and needed more."""
    play.outcome, play.takes = Failure(Reason.UPSTREAM_TIMEOUT, "late", queued), seconds
    for _ in range(50):
        play.send(REQUEST._replace(deadline=play.clock.now + seconds))


def test_short_timeouts_that_a_client_asked_for_do_not_open_it() -> None:
    play = Play()
    run_into_deadlines(play, 0.999)
    assert play.circuit() is Circuit.CLOSED


def test_timeouts_that_left_the_upstream_enough_time_open_it() -> None:
    play = Play()
    run_into_deadlines(play, 1.0)
    assert play.circuit() is Circuit.OPEN


def test_time_in_the_queue_was_not_the_upstreams() -> None:
    play = Play()
    run_into_deadlines(play, 1.5, queued=1.0)
    assert play.circuit() is Circuit.CLOSED


def test_timeouts_before_the_deadline_are_of_connecting_and_open_it() -> None:
    play = Play()
    play.takes = 0.5
    play.send_many(4, Failure(Reason.UPSTREAM_TIMEOUT, "accepted no connection"))
    assert play.circuit() is Circuit.OPEN


@pytest.mark.parametrize(
    ("outcome", "failed"),
    [
        (OK, False),
        *[(OK._replace(status=status), False) for status in (404, 429, 500, 501)],
        *[(OK._replace(status=status), True) for status in (502, 503, 504)],
        *[(DOWN._replace(reason=reason), True) for reason in (Reason.UPSTREAM_DNS, Reason.UPSTREAM_TLS)],
        *[(DOWN._replace(reason=reason), True) for reason in (Reason.UPSTREAM_CLOSED, Reason.UPSTREAM_PROTOCOL)],
        *[(DOWN._replace(reason=reason), False) for reason in (Reason.UPSTREAM_TOO_LARGE, Reason.UPSTREAM_ENCODING)],
        *[(DOWN._replace(reason=reason), None) for reason in (Reason.UPSTREAM_OVERLOADED, Reason.PATH_NOT_ALLOWED)],
    ],
)
def test_what_counts_as_a_failure(outcome: Outcome, failed: bool | None) -> None:
    assert judge(outcome, tells=True) is failed
