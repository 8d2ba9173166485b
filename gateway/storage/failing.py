"""What goes wrong below, as a StorageError: one line that names what failed and says whether there is no room left."""

import errno
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gateway.jobs.ports import NoSuchObject, StorageError

# A limit to the size of files leaves a process as little room as a full disk does.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

# In a folder there is nothing below an object.
_MISSING = {errno.ENOENT, errno.ENOTDIR}

_ERRNO = re.compile(r"\(os error (\d+)\)")


@contextmanager
def explain_records() -> Iterator[None]:
    """Turn the database's errors into StorageError."""
    try:
        yield
    except DBAPIError as error:
        raise StorageError(f"the records failed: {_first_line(error.orig)}", _is_full(error.orig)) from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StorageError(f"the records failed: {_first_line(error)}", _is_full(error)) from error


@contextmanager
def explain_files(key: str) -> Iterator[None]:
    """Turn the errors of an object's store into StorageError, or NoSuchObject."""
    try:
        yield
    except (OSError, BaseError) as error:
        number = _number_of(error)
        if number in _MISSING:
            raise NoSuchObject(f"there is no object {key}") from error
        reason = _first_line(error) if number is None else os.strerror(number)
        raise StorageError(f"the files failed: {reason}", number in _FULL) from error


def _number_of(error: OSError | BaseError) -> int | None:
    """The system's number of an error, which those that obstore makes have in their text, if at all."""
    if isinstance(error, FileNotFoundError):
        return errno.ENOENT
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _ERRNO.search(str(error))
    return int(found[1]) if found else None


def _is_full(error: BaseException | None) -> bool:
    code: int = getattr(error, "sqlite_errorcode", 0)
    # The low byte is the error, the others say where: there was no room for the log's index.
    return code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE


def _first_line(error: BaseException | None) -> str:
    return str(error).partition("\n")[0]
