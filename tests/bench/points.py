"""The points of the comparison: which batches, over how many connections, and how many sub-requests each makes."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

VARIETY = 64
"""Different batches of each point, sent in turn, so that no server answers from what it remembers of the last one."""

ITEMS = 20
"""Rows in the upstream's list."""

SLOW = 20
"""Milliseconds that the slow upstream takes."""


@dataclass(frozen=True, slots=True)
class Point:
    """`sub_requests` of one batch; `connections` that send batches, each the next one when its last is answered."""

    label: str
    sub_requests: int
    connections: int
    batches: tuple[bytes, ...]


def write_batch(*operations: dict[str, Any]) -> bytes:
    """A native envelope."""
    return orjson.dumps({"requests": operations})


def write_independent(kind: str, count: int) -> Callable[[random.Random], bytes]:
    """`count` GETs below `/kind`, none of which waits for another."""
    return lambda pick: write_batch(*({"name": f"op{n}", "path": f"/{kind}/{pick.randint(1, 99999)}"} for n in range(count)))


def write_chain(pick: random.Random) -> bytes:
    """Five GETs, each with a value of the one before in its path; no two alike, which would be sent once."""
    first = {"name": "op0", "path": f"/small/{pick.randint(1, 99999)}"}
    return write_batch(first, *({"name": f"op{n}", "path": f"/small/{n}/${{result=op{n - 1}:$.id}}"} for n in range(1, 5)))


def write_for_each(pick: random.Random) -> bytes:
    """A list, and one GET for each of its rows."""
    rows = {"name": "list", "path": f"/list/{pick.randint(1, 99999)}"}
    each = {"name": "each", "path": "/small/${item:$.id}", "forEach": "${result=list:$.data[*]}"}
    return write_batch(rows, each)


def make_point(label: str, sub_requests: int, connections: int, write: Callable[[random.Random], bytes]) -> Point:
    """The same batches in every run."""
    pick = random.Random(label)
    return Point(label, sub_requests, connections, tuple(write(pick) for _ in range(VARIETY)))


THROUGHPUT = (
    make_point("batch of 1", 1, 32, write_independent("small", 1)),
    make_point("batch of 10", 10, 8, write_independent("small", 10)),
    make_point("batch of 50", 50, 4, write_independent("small", 50)),
    make_point("chain of 5", 5, 16, write_chain),
    make_point(f"forEach of {ITEMS}", ITEMS + 1, 8, write_for_each),
    make_point("10 of 20 KB", 10, 8, write_independent("large", 10)),
)
"""Measured under load, for the CPU they cost."""

LATENCY = make_point("batch of 50", 50, 1, write_independent(f"slow/{SLOW}", 50))
"""Measured one batch at a time, for the time it takes."""
