"""Bytes held, against a limit and the process's limit."""

from gateway.execution.budget import Budget


def test_what_a_limit_allows_is_held_and_given_back() -> None:
    budget = Budget(10)
    assert [budget.take(9), budget.take(2), budget.take(1), budget.take(1)] == [True, False, True, False]
    budget.release(10)
    assert (budget.held, budget.take(10)) == (0, True)


def test_a_parent_has_the_last_word_and_nothing_is_held_if_it_says_no() -> None:
    parent = Budget(10)
    first, second = Budget(100, parent), Budget(5, parent)
    assert [first.take(6), second.take(5), second.take(4), second.take(2)] == [True, False, True, False]
    assert (first.held, second.held, parent.held) == (6, 4, 10)
    first.release(6)
    assert parent.held == 4


def test_nearly_spent_begins_at_95_percent() -> None:
    budget = Budget(100)
    budget.take(94)
    assert not budget.is_nearly_spent()
    budget.take(1)
    assert budget.is_nearly_spent()
