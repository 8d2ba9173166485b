"""The most a client may keep here. To be asked in the transaction that adds something, so that two at one time count."""

from gateway.errors import Refusal
from gateway.jobs.clients import Client
from gateway.jobs.ports import Usage
from gateway.messages import Reason


def check_stored(client: Client, usage: Usage, more: int) -> None:
    """Raise a Refusal, QUOTA_EXCEEDED, if `more` bytes would be too much."""
    _check("bytes of files", client.quota.stored, usage.stored, more)


def check_jobs(client: Client, usage: Usage, lines: int) -> None:
    """Raise a Refusal, QUOTA_EXCEEDED, if one job more, of so many lines, would be too much."""
    _check("jobs that have not ended", client.quota.jobs, usage.jobs, 1)
    _check("lines of jobs that have not ended", client.quota.lines, usage.lines, lines)


def _check(what: str, most: int | None, used: int, more: int) -> None:
    if most is not None and used + more > most:
        raise Refusal(Reason.QUOTA_EXCEEDED, f"{what}: {used} of {most} are used, {more} more would be too many")
