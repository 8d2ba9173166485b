"""What was not answered is tried again, within the method's rights, the deadline and the budget."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from gateway.messages import Failure, Outcome, Reason, Request, Response, Ticket
from gateway.upstreams.attempt import Attempt, Progress
from gateway.upstreams.retries import BUDGET_FLOOR, Retries, may_try_again, pause_before
from gateway.upstreams.sending import Way
from tests.support.clock import Clock


@dataclass
class Tried:
    """A try that has ended."""

    outcome: Outcome
    progress: Progress

    def cancel(self) -> None:
        pytest.fail("it has ended")


ANSWERED = Tried(Response(200, (), b"ok"), Progress.ANSWERED)
REFUSED = Tried(Failure(Reason.UPSTREAM_CONNECT, "refused"), Progress.NOTHING_SENT)
UNKNOWN = Tried(Failure(Reason.UPSTREAM_DNS, "unknown"), Progress.NOTHING_SENT)
CLOSED = Tried(Failure(Reason.UPSTREAM_CLOSED, "closed"), Progress.NOTHING_ANSWERED)
NOT_ACCEPTED = Tried(Failure(Reason.UPSTREAM_CLOSED, "closed"), Progress.NOTHING_SENT)
CUT_SHORT = Tried(Failure(Reason.UPSTREAM_CLOSED, "cut short"), Progress.ANSWERED)


class Play:
    """Retries over a transport whose tries are listed; the last is repeated. Each takes `takes` seconds."""

    def __init__(self, *tries: Tried, times: int = 1, budget: float = 0.1, takes: float = 0.0) -> None:
        self.clock = Clock()
        self.sent: list[float] = []
        self._tries = tries
        self._takes = takes
        self.retries = Retries(
            self._try, times=times, budget=budget, clock=self.clock, random=lambda: 0.5, later=self.clock.later
        )
        self._way = Way([], self.retries, self.clock)

    def _try(self, _: Request, done: Callable[[Attempt], None]) -> Ticket:
        self.sent.append(self.clock.now)
        tried = replace(self._tries[min(len(self.sent), len(self._tries)) - 1])
        self.clock.later(self._takes, lambda: done(tried))
        return tried

    def begin(self, method: str = "GET", patience: float = 60.0) -> tuple[Ticket, list[Outcome]]:
        """Send; the ticket, and the outcome when there is one."""
        outcomes: list[Outcome] = []
        request = Request("users", method, "/", (), None, self.clock.now + patience)
        return self._way.send_then(request, outcomes.append), outcomes

    def send(self, method: str = "GET", patience: float = 60.0) -> Outcome:
        _, outcomes = self.begin(method, patience)
        self.clock.run()
        (outcome,) = outcomes
        return outcome


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_an_idempotent_request_without_an_answer_is_sent_again(method: str) -> None:
    play = Play(CLOSED, ANSWERED)
    assert play.send(method) == ANSWERED.outcome
    assert len(play.sent) == 2
    assert play.retries.counts == {Reason.UPSTREAM_CLOSED: 1}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_an_unsafe_request_that_may_have_arrived_is_never_sent_again(method: str) -> None:
    play = Play(CLOSED, ANSWERED, times=5)
    assert play.send(method) == CLOSED.outcome
    assert len(play.sent) == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
@pytest.mark.parametrize("attempt", [REFUSED, UNKNOWN, NOT_ACCEPTED], ids=["refused", "unknown", "closed at once"])
def test_what_was_never_sent_is_tried_again_whatever_the_method(method: str, attempt: Tried) -> None:
    play = Play(attempt, ANSWERED)
    outcome = play.send(method)
    assert isinstance(outcome, Response)
    assert len(play.sent) == 2


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.UPSTREAM_CONNECT, Reason.UPSTREAM_DNS, Reason.UPSTREAM_CLOSED}))
@pytest.mark.parametrize("progress", list(Progress))
def test_no_other_failure_is_tried_again(reason: Reason, progress: Progress) -> None:
    assert not may_try_again(Failure(reason, "x"), progress, "GET")


@pytest.mark.parametrize("tried", [CUT_SHORT, ANSWERED, Tried(Response(503, (), b""), Progress.ANSWERED)])
def test_what_began_to_be_answered_is_not_tried_again(tried: Tried) -> None:
    play = Play(tried)
    assert play.send() == tried.outcome
    assert len(play.sent) == 1


def test_cancelling_while_it_is_tried_again_cancels_that() -> None:
    play = Play(REFUSED, ANSWERED, takes=1.0)
    ticket, outcomes = play.begin()
    play.clock.step()  # the first try has ended, and the second is to begin after a pause
    ticket.cancel()
    play.clock.run()
    assert (outcomes, len(play.sent)) == ([], 1)


@pytest.mark.parametrize(("times", "sent"), [(0, 1), (1, 2), (2, 3)])
def test_so_many_times_and_no_more(times: int, sent: int) -> None:
    play = Play(REFUSED, times=times)
    outcome = play.send()
    assert isinstance(outcome, Failure)
    assert outcome.reason is Reason.UPSTREAM_CONNECT
    assert len(play.sent) == sent


def test_the_time_before_the_last_attempt_counts_as_queued() -> None:
    play = Play(REFUSED, REFUSED, ANSWERED, times=2, takes=0.5)
    outcome = play.send()
    assert outcome.queued == pytest.approx(2 * 0.5 + 0.025 + 0.05)


def test_no_retry_whose_pause_would_pass_the_deadline() -> None:
    play = Play(REFUSED)
    play.send(patience=0.02)
    assert len(play.sent) == 1


def test_the_budget_allows_a_share_of_the_requests() -> None:
    play = Play(REFUSED, budget=0.1)
    for _ in range(1000):
        play.send()
        play.clock.now = play.sent[0]  # all at one time, as far as the window can tell
    assert len(play.sent) == 1000 + 100


def test_a_quiet_upstream_has_a_few_retries_all_the_same() -> None:
    play = Play(REFUSED, budget=0.0)
    for _ in range(BUDGET_FLOOR + 5):
        play.send()
    assert len(play.sent) == 2 * BUDGET_FLOOR + 5


def test_an_earlier_attempt_that_may_have_arrived_is_not_forgotten() -> None:
    maybe = replace(CLOSED, outcome=Failure(Reason.UPSTREAM_CLOSED, "closed", maybe_processed=True))
    outcome = Play(maybe, REFUSED).send("PUT")
    assert isinstance(outcome, Failure)
    assert (outcome.reason, outcome.maybe_processed) == (Reason.UPSTREAM_CONNECT, True)


def test_a_connection_that_had_gone_stale_is_replaced_at_once() -> None:
    assert pause_before(1, Reason.UPSTREAM_CLOSED, 0.9) == 0.0


def test_pauses_double_up_to_the_longest_with_full_jitter() -> None:
    assert [pause_before(retry, Reason.UPSTREAM_CONNECT, 1.0) for retry in range(1, 6)] == [0.05, 0.1, 0.2, 0.25, 0.25]
    assert pause_before(3, Reason.UPSTREAM_CONNECT, 0.0) == 0.0
