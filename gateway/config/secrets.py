"""Secrets of the configuration: what they must look like. A message never shows one."""

import base64
import binascii
import re

from gateway.config.problems import Wrong

_PREFIX = "whsec_"
_SHORTEST = 24
_LONGEST = 64


def read_key_hash(text: str) -> str:
    """The SHA-256 of an API key, `sha256:` and 64 hex digits. Raises Wrong."""
    found = text.strip().lower()
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", found):
        raise Wrong('must be "sha256:" and the 64 hex digits of the SHA-256 of an API key', shows_value=False)
    return found


def read_signing_secret(text: str) -> str:
    """A secret as Standard Webhooks writes it: `whsec_` and the base64 of 24 to 64 bytes. Raises Wrong."""
    found = text.strip()
    try:
        size = len(base64.b64decode(found.removeprefix(_PREFIX), validate=True)) if found.startswith(_PREFIX) else 0
    except binascii.Error:
        size = 0
    if not _SHORTEST <= size <= _LONGEST:
        raise Wrong(f"must be {_PREFIX} and the base64 of {_SHORTEST} to {_LONGEST} random bytes", shows_value=False)
    return found
