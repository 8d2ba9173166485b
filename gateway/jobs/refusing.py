"""What a client is told when the store does not work."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import Refusal
from gateway.jobs.ports import NoSuchObject, StorageError
from gateway.messages import Reason


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what the store raises into a Refusal. It names no path: that is for the operator's log."""
    try:
        yield
    except NoSuchObject as error:
        raise Refusal(Reason.NOT_FOUND, "the content is gone") from error
    except StorageError as error:
        if error.is_full:
            raise Refusal(Reason.STORAGE_FULL, "there is no room left; nothing was stored") from error
        raise Refusal(Reason.STORAGE_FAILED, "the store of jobs does not work at the moment") from error
