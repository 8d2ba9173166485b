"""Very many operations in flight at once, over ten upstreams that hold them until the last has come."""

import asyncio
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import uvloop

from tests.bench.load import GRACE, ask
from tests.bench.peers import write_config
from tests.bench.points import write_batch
from tests.bench.processes import BESIDE, MEASURED, free_ports, resident_mebibytes, running

UPSTREAMS = 10

BATCHES = 100
"""Batches at one time, at most; the operations are shared out evenly over them and over the upstreams."""

SPARE = 500
"""Files that a process needs beside its connections to upstreams."""

PATIENCE = 60
"""Seconds that an operation, and connecting for it, may take."""


@dataclass(frozen=True, slots=True)
class Wave:
    """One time that all operations were in flight: those that failed by reason, and seconds until the last answer."""

    failed: Counter[str]
    seconds: float


@dataclass(frozen=True, slots=True)
class Flood:
    """What `operations` at once did: the waves in order, and the gateway's memory in MiB before and at its most."""

    operations: int
    waves: tuple[Wave, ...]
    idle: float
    peak: float


def flood(operations: int) -> Flood:
    """Have that many in flight. Raises CannotStart."""
    port, *origins = free_ports(1 + UPSTREAMS)
    upstreams = [sys.executable, "-m", "tests.bench.upstream", *map(str, origins)]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = write_flood_config(Path(folder), port, origins, operations)
        with (
            running(upstreams, origins[0], BESIDE, files=operations + SPARE),
            running(command, port, MEASURED, files=operations + SPARE) as pid,
        ):
            idle = resident_mebibytes(pid, "VmRSS")
            waves = uvloop.run(send_waves(port, operations))
            return Flood(operations, waves, idle, resident_mebibytes(pid, "VmHWM"))


def write_flood_config(folder: Path, port: int, origins: Sequence[int], operations: int) -> list[str]:
    """The command of a gateway whose limits let all of them through."""
    share = math.ceil(operations / UPSTREAMS)
    upstreams = {
        f"u{number}": {"url": f"http://127.0.0.1:{origin}", "routes": ["/held"], "connections": share}
        | {"timeout": PATIENCE, "connect_timeout": PATIENCE}
        for number, origin in enumerate(origins)
    }
    most = math.ceil(operations / BATCHES)
    limits = {"operations": most, "expanded_operations": most, "timeout": PATIENCE, "operation_timeout": PATIENCE}
    return write_config(folder, port, upstreams, limits=limits)


async def send_waves(port: int, operations: int) -> tuple[Wave, ...]:
    """The first opens every connection, the second finds them open. There is no second after a failure."""
    first = await send_wave(port, operations)
    return (first,) if first.failed else (first, await send_wave(port, operations))


async def send_wave(port: int, operations: int) -> Wave:
    """Send them all at once. Those that never were in flight together end as failures when their time is over."""
    started = time.perf_counter()
    asked = [ask(port, write_held(number, operations), PATIENCE + GRACE) for number in range(min(BATCHES, operations))]
    answers = await asyncio.gather(*asked)
    seconds = time.perf_counter() - started
    entries = [entry for answer in answers for entry in orjson.loads(answer)["responses"]]
    return Wave(Counter(name_failure(entry) for entry in entries if entry["status"] != 200), seconds)


def name_failure(entry: dict[str, Any]) -> str:
    """The gateway's reason, or the upstream's status."""
    return str(entry["error"]["reason"] if "error" in entry else entry["status"])


def write_held(batch: int, operations: int) -> bytes:
    """One batch of operations that are answered when all `operations` are in flight; no two have the same path."""
    numbers = range(batch, operations, min(BATCHES, operations))
    return write_batch(*({"path": f"/held/{operations}/{number}", "upstream": f"u{number % UPSTREAMS}"} for number in numbers))
