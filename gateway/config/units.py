"""Durations and sizes as people write them: `250ms`, `2s`, `1m`, `8KiB`, `1MiB`."""

import re

from gateway.config.problems import Wrong

DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,9})?"
DURATION_PATTERN = rf"{NUMBER} ?(?:ms|s|m|h|d)"
SIZE_PATTERN = rf"{NUMBER} ?(?:B|KiB|MiB|GiB)"
"""Of the whole text, without a sign: a negative one is understood, to be refused as what it is."""

NOT_A_DURATION = "must be a duration such as 250ms, 2s or 1m, or a number of seconds"
NOT_A_SIZE = "must be a size such as 512B, 8KiB or 1MiB, or a number of bytes"


def parse_duration(value: object) -> float:
    """Seconds. A bare number is seconds already. Raises Wrong."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str) or not re.fullmatch(f"-?{DURATION_PATTERN}", value):
        raise Wrong(NOT_A_DURATION)
    number, unit = _split(value)
    # The division and not a factor: 250ms has to be exactly the 0.25 that a reader compares it with.
    return number / 1000 if unit == "ms" else number * DURATIONS[unit]


def parse_size(value: object) -> int:
    """Bytes. A bare whole number is bytes already. Raises Wrong."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not re.fullmatch(f"-?{SIZE_PATTERN}", value):
        raise Wrong(NOT_A_SIZE, _binary_spelling(value))
    number, unit = _split(value)
    size = number * SIZES[unit]
    if not size.is_integer():
        raise Wrong("must be a whole number of bytes")
    return int(size)


def format_duration(seconds: float) -> str:
    """The shortest spelling that `parse_duration` reads back: 0.25 is 250ms, 90 is 90s, 120 is 2m, 0 is 0s."""
    if 0 < abs(seconds) < 1:
        return f"{seconds * 1000:.12g}ms"
    for unit in ("h", "m"):
        if seconds and seconds % DURATIONS[unit] == 0:
            return f"{seconds / DURATIONS[unit]:.12g}{unit}"
    return f"{seconds:.12g}s"


def format_size(size: int) -> str:
    """The shortest spelling that `parse_size` reads back: 1048576 is 1MiB, 1000 is 1000B."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % SIZES[unit] == 0:
            return f"{size // SIZES[unit]}{unit}"
    return f"{size}B"


def _split(text: str) -> tuple[float, str]:
    number, unit = re.fullmatch(rf"(-?{NUMBER}) ?([A-Za-z]+)", text).groups()  # type: ignore[union-attr]  # both patterns hold
    return float(number), unit


def _binary_spelling(value: object) -> str:
    """`1MB` and `1mb` may be meant as 1000 or 1024: name the spelling that is not open to doubt."""
    match = re.fullmatch(rf"({NUMBER}) ?([KMGkmg])i?[Bb]?", value) if isinstance(value, str) else None
    return f"{match[1]}{match[2].upper()}iB" if match else ""
