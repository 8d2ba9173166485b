"""Which keys objects may have: those that mean the same in a folder, in a bucket and in memory, and lead out of none."""

import re

from gateway.jobs.ports import NoSuchObject

_KEY = re.compile(r"(?=.{1,512}\Z)[A-Za-z0-9_][A-Za-z0-9_.=-]{0,199}(/[A-Za-z0-9_][A-Za-z0-9_.=-]{0,199})*", re.ASCII)


def check_key(key: str) -> str:
    """The key; NoSuchObject if none may be called that."""
    if not _KEY.fullmatch(key):
        raise NoSuchObject(f"no object can have the key {key[:80]!r}")
    return key
