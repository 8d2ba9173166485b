"""Whether a request of a job may be sent again if it is unknown what became of it."""

from gateway.batch.job import OnInterrupt
from gateway.messages import IDEMPOTENT_METHODS

KEY = "idempotency-key"
"""The header that has an upstream take a request once, however often it is sent."""


def may_resend(rule: OnInterrupt, method: str, is_keyed: bool) -> bool:
    """By the job's rule. `is_keyed`: the request is sent with a key."""
    match rule:
        case OnInterrupt.RESEND:
            return True
        case OnInterrupt.FAIL:
            return False
        case OnInterrupt.AUTO:
            return is_keyed or method in IDEMPOTENT_METHODS
