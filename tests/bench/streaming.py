"""What a streamed answer costs beside the plain one, and when its first line comes.

python -m tests.bench.streaming [ROUNDS]
"""

import asyncio
import sys
import tempfile
import time
from itertools import cycle
from pathlib import Path

import uvloop

from tests.bench.comparison import Ratio, take_ratio
from tests.bench.load import write_request
from tests.bench.peers import Server, gateway
from tests.bench.points import THROUGHPUT, write_batch
from tests.bench.processes import BESIDE, cpu_seconds, free_ports, running

POINTS = {point.label: point for point in THROUGHPUT if point.label in {"batch of 1", "batch of 10", "batch of 50"}}
BATCHES = 1000
"""Of one measurement: enough for the system's clock to see."""

QUICKLY = {"batch of 10": 400, "batch of 50": 200}
"""Batches of one measurement of seconds."""

FASTEST, SLOWEST, COUNT = 5, 500, 50
"""Milliseconds that the operations of the batch take whose first line is timed, and how many there are."""


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        (upstream,) = free_ports(1)
        command = [sys.executable, "-m", "tests.bench.upstream", str(upstream)]
        with running(command, upstream, BESIDE), gateway(Path(folder), upstream) as server:
            for label in POINTS:
                ratio = compare_streamed(server, label, rounds, BATCHES)
                spread = f"{ratio.lowest:.2f}-{ratio.highest:.2f}"
                print(f"{label}: streamed takes {ratio.median:.2f} times the CPU of plain ({spread})")
            first, last = uvloop.run(time_lines(server.port))
            print(f"{COUNT} operations of {FASTEST} to {SLOWEST} ms: first line after {first:.1f} ms, last after {last:.1f} ms")


def measure_streaming(server: Server, rounds: int) -> dict[str, Ratio]:
    """The same ratios in a few seconds, where a batch is large enough for that."""
    return {label: compare_streamed(server, label, rounds, number) for label, number in QUICKLY.items()}


def compare_streamed(server: Server, label: str, rounds: int, number: int) -> Ratio:
    """The CPU of a streamed answer by that of the plain one; `number` batches of each in every round."""
    runs = [
        (measure_cpu(server, label, number, "application/x-ndjson"), measure_cpu(server, label, number)) for _ in range(rounds)
    ]
    return take_ratio([streamed for streamed, _ in runs], [plain for _, plain in runs])


def measure_cpu(server: Server, label: str, number: int, accept: str = "application/json") -> float:
    """Seconds of CPU that the gateway takes for `number` batches."""
    point = POINTS[label]
    requests = [_accepting(batch, accept) for batch in point.batches]
    uvloop.run(_send_all(server.port, requests, point.connections, 20))
    before = cpu_seconds(server.pid)
    uvloop.run(_send_all(server.port, requests, point.connections, number))
    return cpu_seconds(server.pid) - before


async def _send_all(port: int, requests: list[bytes], connections: int, count: int) -> None:
    turns = cycle(requests)
    await asyncio.gather(*(_send_in_turn(port, [next(turns) for _ in range(count // connections)]) for _ in range(connections)))


async def _send_in_turn(port: int, requests: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if b"Transfer-Encoding" in head:
            await reader.readuntil(b"\r\n0\r\n\r\n")
        else:
            await reader.readexactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r")[0]))
    writer.close()


async def time_lines(port: int) -> tuple[float, float]:
    """Milliseconds until the first line of a batch, and until its end."""
    step = (SLOWEST - FASTEST) / (COUNT - 1)
    batch = write_batch(*({"path": f"/slow/{FASTEST + round(number * step)}/{number}"} for number in range(COUNT)))
    took = (0.0, 0.0)
    for _ in range(2):  # the first opens the connections to the upstream
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.perf_counter()
        writer.write(_accepting(batch, "application/x-ndjson"))
        await reader.readuntil(b'{"index":0')
        first = time.perf_counter()
        await reader.readuntil(b"\r\n0\r\n\r\n")
        took = ((first - began) * 1e3, (time.perf_counter() - began) * 1e3)
        writer.close()
    return took


def _accepting(batch: bytes, accept: str) -> bytes:
    return write_request(batch).replace(b"\r\n\r\n", f"\r\naccept: {accept}\r\n\r\n".encode(), 1)


if __name__ == "__main__":
    main()
