"""Ids of jobs and files: they sort by the time they were made at."""

import re

ENTROPY_BYTES = 10
"""What `make_id` consumes."""


def make_id(prefix: str, now: float, entropy: bytes) -> str:
    """`prefix` and the 32 hex digits of a UUID version 7 (RFC 9562 section 5.7) of the second `now` and 10 random bytes."""
    time, random = f"{int(now * 1000):012x}", entropy.hex()
    variant = "89ab"[entropy[2] >> 4 & 0x3]
    return f"{prefix}{time}7{random[1:4]}{variant}{random[5:]}"


def is_id(prefix: str, text: str) -> bool:
    """Whether a text could be an id that `make_id` made, of something that may be gone by now."""
    return text.startswith(prefix) and re.fullmatch(r"[0-9a-f]{32}", text[len(prefix) :]) is not None
