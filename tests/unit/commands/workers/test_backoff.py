from gateway.commands.workers.backoff import LONGEST, STEADY, Backoff


def test_what_ran_for_a_while_is_replaced_at_once() -> None:
    assert Backoff().wait_after(STEADY) == 0


def test_what_dies_young_waits_longer_each_time_up_to_a_bound() -> None:
    backoff = Backoff()
    assert [backoff.wait_after(0.1) for _ in range(9)] == [0.25, 0.5, 1, 2, 4, 8, 16, LONGEST, LONGEST]


def test_a_steady_worker_lets_the_past_be_forgotten() -> None:
    backoff = Backoff()
    assert [backoff.wait_after(lived) for lived in (1, 1, STEADY + 1, 1)] == [0.25, 0.5, 0, 0.25]
