"""A closed loop of batches: each connection sends its next batch when the last one is answered.

By wrk where it is installed, else by plain streams on this process's event loop, which cost little beside a server in Python.
Both are bounded in time, and both fail unless every answer is whole.
"""

import asyncio
import json
import math
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import median

import uvloop

from tests.bench.points import Point

WRK_SCRIPT = Path(__file__).with_name("wrk.lua")

GRACE = 30
"""Seconds that the last answers may take after a run's time is over."""

TOLERANCE = 0.9
"""An answer of this share of the usual length is whole: paths and durations have a few digits more or less."""

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Load:
    """What came back of a run: how many batches, in how many seconds, and the median of their latencies in seconds."""

    batches: int
    seconds: float
    p50: float


class Incomplete(Exception):
    """Not the whole work was done. The message says what was answered instead."""


@dataclass(frozen=True, slots=True)
class Generator:
    """Sends for `seconds`. `wrk` is the program's path, or None for the streams; wrk counts in whole seconds."""

    seconds: float
    wrk: str | None

    def drive(self, port: int, point: Point, least: int) -> Load:
        """Send the batches of `point` in turn. Raises Incomplete for an answer shorter than `least` bytes."""
        if self.wrk is not None:
            return _drive_with_wrk(self.wrk, port, point, math.ceil(self.seconds), least)
        started = time.perf_counter()
        latencies = uvloop.run(send_for(port, point, self.seconds, least))
        return Load(len(latencies), time.perf_counter() - started, median(latencies))


def check(port: int, point: Point) -> int:
    """The least length of a whole answer: of one in which every sub-request has its body and status 200. Raises Incomplete."""
    answer = uvloop.run(ask(port, point.batches[0]))
    entries = [one for entry in json.loads(answer)["responses"] for one in entry.get("responses", [entry])]
    if [entry["status"] for entry in entries if entry.get("body")] != [200] * point.sub_requests:
        raise Incomplete(f"{point.label}: {answer[:300]!r}")
    return int(len(answer) * TOLERANCE)


async def ask(port: int, batch: bytes, timeout: float = GRACE) -> bytes:
    """The answer to one batch, within `timeout` seconds. Raises Incomplete."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(timeout):
            return await _exchange(reader, writer, write_request(batch))
    finally:
        writer.close()


async def send_for(port: int, point: Point, seconds: float, least: int) -> list[float]:
    """The latencies of all batches sent within `seconds`. Raises Incomplete for an answer shorter than `least` bytes."""
    requests = cycle([write_request(batch) for batch in point.batches])
    ends = time.perf_counter() + seconds
    latencies: list[float] = []
    async with asyncio.timeout(seconds + GRACE):
        await asyncio.gather(*(_send_in_turn(port, requests, ends, least, latencies) for _ in range(point.connections)))
    return latencies


async def _send_in_turn(port: int, requests: Iterator[bytes], ends: float, least: int, latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while not latencies or time.perf_counter() < ends:
            started = time.perf_counter()
            answer = await _exchange(reader, writer, next(requests))
            latencies.append(time.perf_counter() - started)
            if len(answer) < least:
                raise Incomplete(f"an answer of {len(answer)} bytes instead of {least} and more: {answer[:300]!r}")
    finally:
        writer.close()


def write_request(batch: bytes) -> bytes:
    """A whole request."""
    head = f"POST /batch HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(batch)}\r\n\r\n"
    return head.encode() + batch


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    if not head.startswith(b"HTTP/1.1 20") or length is None:
        raise Incomplete(f"answered {head[:300]!r}")
    return await reader.readexactly(int(length[1]))


def _drive_with_wrk(wrk: str, port: int, point: Point, seconds: int, least: int) -> Load:
    with tempfile.NamedTemporaryFile(prefix="bench-") as file:
        file.write(b"\n".join(point.batches))
        file.flush()
        command = [wrk, "--threads", "1", "--connections", str(point.connections), "--duration", str(seconds), "--latency"]
        command += ["--timeout", str(GRACE), "--script", str(WRK_SCRIPT), f"http://127.0.0.1:{port}", "--", file.name]
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + GRACE).stdout
    requests, microseconds, p50, size, errors = map(int, output.rpartition("TOTALS ")[2].split())
    if errors or not requests or size < requests * least:
        found = f"{requests} batches, {errors} errors, {size} bytes"
        raise Incomplete(f"{point.label}: {found}; an answer has at least {least} bytes")
    return Load(requests, microseconds / 1e6, p50 / 1e6)
