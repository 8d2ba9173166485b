"""The data folder is one process's at a time."""

import fcntl
import os
from pathlib import Path

from gateway.jobs.ports import StorageError


class FolderLock:
    """Holds a folder until it is closed, or the process has ended however that came. Makes the folder if need be.

    Raises StorageError if another process holds it, or it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "lock"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"the data folder {folder} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)
        except OSError as error:
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace") or "unknown"
            os.close(self._descriptor)
            if not isinstance(error, BlockingIOError):
                raise StorageError(f"the data folder {folder} cannot be locked: {error.strerror}") from error
            raise StorageError(
                f"the data folder {folder} is in use by process {holder}: only one gateway process may serve it. "
                "Stop that one, or give this one a folder of its own (jobs.data)"
            ) from error

    def close(self) -> None:
        """Let others have the folder."""
        os.close(self._descriptor)
