"""What jobs do not take for an answer: nobody waits for them, so what could not be sent just now is sent later.

An upstream with too many requests waiting is asked again soon. One that is failing is left alone for longer.
"""

from gateway.messages import Failure, Outcome, Reason

PAUSE = 1.0
"""Seconds until it is tried again by the same attempt."""

REST = 5.0
"""Seconds until a chunk is begun again that could not go on for it. Meanwhile its place is for jobs that can."""

_HELD_OFF = frozenset({Reason.CIRCUIT_OPEN, Reason.UPSTREAM_OVERLOADED})


def was_held_off(outcome: Outcome | None) -> bool:
    """Whether nothing was sent, because the upstream is being left alone or has too many requests waiting."""
    return isinstance(outcome, Failure) and outcome.reason in _HELD_OFF and not outcome.maybe_processed
