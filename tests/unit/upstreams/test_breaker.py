"""A failing upstream is left alone, tried by one request, and taken back."""

import asyncio

import pytest

from gateway.messages import Failure, Outcome, Reason, Request, Response
from gateway.upstreams.breaker import Breaker, Circuit, judge
from tests.support.clock import Clock

REQUEST = Request("users", "GET", "/users/1", (), None, deadline=2000.0)
OK = Response(200, (), b"")
DOWN = Failure(Reason.UPSTREAM_CONNECT, "refused")


class Play:
    """A breaker round an upstream that answers what the test sets."""

    def __init__(self, minimum: int = 4, failure_ratio: float = 0.5) -> None:
        self.clock = Clock()
        self.outcome: Outcome = OK
        self.takes = 0.0
        self.sent = 0
        self.held: asyncio.Future[None] | None = None
        self.breaker = Breaker(
            "users (http://users:8080)",
            failure_ratio=failure_ratio,
            minimum=minimum,
            window=10.0,
            cooldown=5.0,
            patience=1.0,
            clock=self.clock,
        )
        self.send = self.breaker.around(self._answer)

    async def _answer(self, _: Request) -> Outcome:
        self.sent += 1
        self.clock.now += self.takes
        outcome = self.outcome
        if self.held is not None:
            await self.held
        return outcome

    async def send_many(self, count: int, outcome: Outcome) -> list[Outcome]:
        self.outcome = outcome
        return [await self.send(REQUEST) for _ in range(count)]

    def circuit(self) -> Circuit:
        return self.breaker.circuit

    async def open(self) -> None:
        await self.send_many(4, DOWN)
        assert self.circuit() is Circuit.OPEN


@pytest.mark.parametrize("minimum", [1, 4, 20])
async def test_opens_at_the_minimum_and_not_before(minimum: int) -> None:
    play = Play(minimum)
    await play.send_many(minimum - 1, DOWN)
    assert play.circuit() is Circuit.CLOSED
    await play.send_many(1, DOWN)
    assert play.circuit() is Circuit.OPEN


async def test_opens_at_the_ratio_and_not_below() -> None:
    play = Play(minimum=10)
    await play.send_many(6, OK)
    await play.send_many(5, DOWN)
    assert play.circuit() is Circuit.CLOSED
    await play.send_many(1, DOWN)
    assert play.circuit() is Circuit.OPEN


async def test_forgets_failures_older_than_the_window() -> None:
    play = Play()
    await play.send_many(3, DOWN)
    play.clock.now += 10
    await play.send_many(1, DOWN)
    assert play.circuit() is Circuit.CLOSED


async def test_open_it_fails_at_once_and_sends_nothing() -> None:
    play = Play()
    await play.open()
    play.clock.now += 4
    outcome = await play.send(REQUEST)
    assert outcome == Failure(
        Reason.CIRCUIT_OPEN,
        "users (http://users:8080) failed 4 of its last 4 requests in 10 s; the next is let through in 1.0 s",
    )
    assert play.sent == 4


async def test_half_open_one_probe_passes_and_the_others_fail_at_once() -> None:
    play = Play()
    await play.open()
    play.clock.now += 5
    assert play.circuit() is Circuit.HALF_OPEN
    play.outcome, play.held = OK, asyncio.get_running_loop().create_future()
    probe = asyncio.ensure_future(play.send(REQUEST))
    await asyncio.sleep(0)
    other = await play.send(REQUEST)
    assert isinstance(other, Failure)
    assert other.reason is Reason.CIRCUIT_OPEN
    assert play.sent == 5
    play.held.set_result(None)
    assert await probe == OK
    assert play.circuit() is Circuit.CLOSED


async def test_a_failed_probe_opens_it_again_for_the_whole_cooldown() -> None:
    play = Play()
    await play.open()
    play.clock.now += 5
    await play.send_many(1, DOWN)
    play.clock.now += 4.9
    assert play.circuit() is Circuit.OPEN
    play.clock.now += 0.1
    await play.send_many(1, OK)
    assert play.circuit() is Circuit.CLOSED


async def test_a_cancelled_probe_leaves_the_way_to_the_next() -> None:
    play = Play()
    await play.open()
    play.clock.now += 5
    play.held = asyncio.get_running_loop().create_future()
    probe = asyncio.ensure_future(play.send(REQUEST))
    await asyncio.sleep(0)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    play.held = None
    await play.send_many(1, OK)
    assert play.circuit() is Circuit.CLOSED


@pytest.mark.parametrize("late", [OK, DOWN], ids=["success", "failure"])
async def test_what_was_sent_before_it_opened_neither_closes_it_nor_keeps_it_open(late: Outcome) -> None:
    play = Play()
    play.outcome, play.held = late, asyncio.get_running_loop().create_future()
    sending = asyncio.ensure_future(play.send(REQUEST))
    await asyncio.sleep(0)
    release, play.held = play.held, None
    await play.open()
    play.clock.now += 4
    release.set_result(None)
    await sending
    assert play.circuit() is Circuit.OPEN
    play.clock.now += 1
    assert play.circuit() is Circuit.HALF_OPEN


async def test_it_starts_to_count_again_once_it_has_closed() -> None:
    play = Play()
    await play.open()
    play.clock.now += 5
    await play.send_many(1, OK)
    await play.send_many(3, DOWN)
    assert play.circuit() is Circuit.CLOSED


async def run_into_deadlines(play: Play, seconds: float, queued: float = 0.0) -> None:
    """Fifty requests that had so many seconds, and needed more."""
    play.outcome, play.takes = Failure(Reason.UPSTREAM_TIMEOUT, "late", queued), seconds
    for _ in range(50):
        await play.send(REQUEST._replace(deadline=play.clock.now + seconds))


async def test_short_timeouts_that_a_client_asked_for_do_not_open_it() -> None:
    play = Play()
    await run_into_deadlines(play, 0.999)
    assert play.circuit() is Circuit.CLOSED


async def test_timeouts_that_left_the_upstream_enough_time_open_it() -> None:
    play = Play()
    await run_into_deadlines(play, 1.0)
    assert play.circuit() is Circuit.OPEN


async def test_time_in_the_queue_was_not_the_upstreams() -> None:
    play = Play()
    await run_into_deadlines(play, 1.5, queued=1.0)
    assert play.circuit() is Circuit.CLOSED


async def test_timeouts_before_the_deadline_are_of_connecting_and_open_it() -> None:
    play = Play()
    play.takes = 0.5
    await play.send_many(4, Failure(Reason.UPSTREAM_TIMEOUT, "accepted no connection"))
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
