import asyncio
from collections.abc import Callable

from gateway.config.jobs import JobSettings
from gateway.jobs.running.share import CALM, Claim, Share
from tests.support.batches import PATIENCE
from tests.support.clock import Clock

SETTINGS = JobSettings(concurrency=4, concurrency_beside_live=1, concurrency_per_job=3)


class Eager:
    """A claim that takes all it can get; `taken` is how often."""

    def __init__(self, share: Share, job: str, upstream: str = "users") -> None:
        self.taken = 0
        self.full = asyncio.Event()
        self.upstream = upstream
        self.claim: Claim = share.claim(job, self.take)

    def take(self) -> None:
        while self.claim.take(self.upstream):
            self.taken += 1
        if self.taken == SETTINGS.concurrency_per_job:
            self.full.set()

    def leave(self) -> None:
        self.taken -= 1
        self.claim.leave(self.upstream)


def make_share(is_live: Callable[[], bool] = lambda: False, clock: Clock | None = None, **by_upstream: int) -> Share:
    return Share(SETTINGS, by_upstream, is_live, clock or Clock())


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_one_job_has_no_more_than_its_own_limit_and_all_no_more_than_theirs() -> None:
    share = make_share()
    first, second = Eager(share, "a"), Eager(share, "b")
    first.take()
    second.take()
    assert (first.taken, second.taken) == (3, 1)


async def test_an_upstream_has_no_more_than_its_share() -> None:
    share = make_share(users=2)
    first, second = Eager(share, "a"), Eager(share, "b", "orders")
    first.take()
    second.take()
    assert (first.taken, second.taken) == (2, 2)


async def test_room_goes_to_the_job_with_the_fewest_requests_in_flight() -> None:
    share = make_share()
    first, second = Eager(share, "a"), Eager(share, "b")
    first.take()
    second.take()
    first.leave()
    first.take()
    await settle()
    assert (first.taken, second.taken) == (2, 2)
    first.leave()
    await settle()
    assert (first.taken, second.taken) == (2, 2)


async def test_of_jobs_that_have_as_many_the_one_that_waits_longer_is_next() -> None:
    share = make_share()
    first = share.claim("a", lambda: None)
    assert [first.take("users") for _ in range(3)] == [True] * 3
    share.claim("z", lambda: None).take("users")
    woken: list[str] = []
    for name in ("b", "c", "d"):
        claim = share.claim(name, lambda name=name: woken.append(name))  # type: ignore[misc]
        assert not claim.take("users")
    for _ in range(3):
        first.leave("users")
    await settle()
    assert woken == ["b", "c", "d"]


async def test_a_claim_that_is_closed_waits_no_more_and_gives_back_what_it_was_given() -> None:
    share = make_share()
    first, second, third = Eager(share, "a"), Eager(share, "b"), Eager(share, "c")
    first.take()
    second.take()
    third.take()
    first.leave()
    for eager in (first, second, third):
        eager.claim.close()
    fourth = Eager(share, "d")
    fourth.take()
    await settle()
    assert fourth.taken == 1


async def test_a_claim_that_wants_something_else_gives_back_what_it_was_given() -> None:
    """Of a chunk with lines for several upstreams another one may be the next by the time that there is room."""
    share = Share(SETTINGS, {"users": 1, "orders": 1}, lambda: False, Clock())
    first, second = share.claim("a", lambda: None), share.claim("b", lambda: None)
    assert first.take("users")
    assert first.take("orders")
    assert not second.take("users")
    first.leave("users")
    assert not second.take("orders")
    assert first.take("users")
    first.leave("orders")
    assert second.take("orders")
    second.leave("orders")
    first.leave("users")
    assert (share.in_flight, share.waiting) == (0, 0)


async def test_a_claim_that_gets_something_else_at_once_waits_no_more() -> None:
    share = Share(SETTINGS, {"users": 1}, lambda: False, Clock())
    first, second = share.claim("a", lambda: None), share.claim("b", lambda: None)
    assert first.take("users")
    assert not second.take("users")
    assert second.take("orders")
    assert share.waiting == 0
    first.leave("users")
    assert share.in_flight == 1


async def test_beside_live_batches_less_is_in_flight_until_it_is_calm_for_a_while() -> None:
    live, clock = [True], Clock()
    share = make_share(lambda: live[0], clock)
    eager = Eager(share, "a")
    eager.take()
    assert eager.taken == 1
    live[0] = False
    eager.leave()
    await settle()
    assert eager.taken == 1
    clock.now += CALM
    async with asyncio.timeout(PATIENCE):
        await eager.full.wait()
