import pytest

from gateway.jobs.ending.destinations import FIRST_REST, GAP, LONGEST_REST, TURN, Destinations, read_destination

HERE = ("hooks.example.com", 443)
THERE = ("hooks.example.com", 8443)


@pytest.fixture
def destinations() -> Destinations:
    return Destinations(most=2)


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("https://Hooks.example.com/one?two", ("hooks.example.com", 443)),
        ("https://hooks.example.com:8443/", ("hooks.example.com", 8443)),
        ("http://[::1]/", ("::1", 80)),
    ],
)
def test_a_destination_is_a_host_and_a_port(url: str, destination: tuple[str, int]) -> None:
    assert read_destination(url) == destination


def test_so_many_are_called_at_once_and_the_others_come_one_after_the_other(destinations: Destinations) -> None:
    assert [destinations.enter(HERE, 1000.0) for _ in range(4)] == [0.0, 0.0, TURN, pytest.approx(TURN + GAP)]
    assert destinations.enter(THERE, 1000.0) == 0.0


def test_who_leaves_makes_room(destinations: Destinations) -> None:
    destinations.enter(HERE, 1000.0)
    destinations.enter(HERE, 1000.0)
    destinations.leave(HERE, 1001.0, 200)
    assert destinations.enter(HERE, 1001.0) == 0.0


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_receiver_that_has_too_much_rests_longer_each_time(destinations: Destinations, status: int) -> None:
    now, rests = 1000.0, []
    for _ in range(8):
        assert destinations.enter(HERE, now) == 0.0
        destinations.leave(HERE, now, status)
        rests.append(destinations.enter(HERE, now))
        now += 1000.0
    assert rests == [FIRST_REST, 10.0, 20.0, 40.0, 80.0, 160.0, LONGEST_REST, LONGEST_REST]


@pytest.mark.parametrize("status", [200, 500])
def test_another_answer_ends_that(destinations: Destinations, status: int) -> None:
    destinations.enter(HERE, 1000.0)
    destinations.enter(HERE, 1000.0)
    destinations.leave(HERE, 1000.0, 503)
    destinations.leave(HERE, 1000.0, status)
    assert destinations.enter(HERE, 1000.0) == 0.0


def test_no_answer_says_nothing_of_it(destinations: Destinations) -> None:
    destinations.enter(HERE, 1000.0)
    destinations.enter(HERE, 1000.0)
    destinations.leave(HERE, 1000.0, 503)
    destinations.leave(HERE, 1000.0, None)
    assert destinations.enter(HERE, 1000.0) == FIRST_REST


def test_a_clock_that_is_set_back_prolongs_no_rest(destinations: Destinations) -> None:
    destinations.enter(HERE, 100_000.0)
    destinations.leave(HERE, 100_000.0, 503)
    assert destinations.enter(HERE, 10_000.0) == FIRST_REST


def test_receivers_of_whom_nothing_holds_are_forgotten(destinations: Destinations) -> None:
    for number in range(5000):
        destinations.enter(("host", number), 1000.0)
        destinations.leave(("host", number), 1000.0, 200)
    assert len(destinations) <= 1001
