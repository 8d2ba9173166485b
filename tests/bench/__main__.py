"""Figures of the gateway, as ratios within one run.

    make bench                              everything, about two minutes
    python -m tests.bench --rounds 9        more rounds, for a figure to quote

Every round measures the gateway and its peer in turn, so that a machine whose speed drifts hurts both alike. The server under
measurement has one CPU and everything else the other.
"""

import argparse
import asyncio
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import aiohttp

from tests.bench.load import Load, drive
from tests.bench.parts import envelope, measure_parts
from tests.bench.processes import cpu_seconds, free_port, running

SIZES = (1, 10, 50)
SLOW = 20
"""Milliseconds that the slow upstream takes."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds; the median is printed (default 3)")
    parser.add_argument("--sub-requests", type=int, default=4000, metavar="N", help="per point and round (default 4000)")
    options = parser.parse_args()
    print_parts()
    with ExitStack() as stack:
        upstream, gateway, aggregator = free_port(), free_port(), free_port()
        stack.enter_context(running("-m", "tests.bench.upstream", str(upstream), port=upstream, cpu=1))
        peer = running("-m", "tests.bench.aggregator", str(aggregator), str(upstream), port=aggregator, cpu=0)
        ours = running("-m", "gateway", "serve", "--config", configuration(stack, gateway, upstream), port=gateway, cpu=0)
        servers = {"gateway": (stack.enter_context(ours), gateway), "aggregator": (stack.enter_context(peer), aggregator)}
        print_cpu(servers, options.rounds, options.sub_requests)
        print_overhead(servers, upstream, options.rounds)


def configuration(stack: ExitStack, port: int, upstream: int) -> str:
    """A configuration file with every feature as it is by default."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
    path = Path(folder, "gateway.yaml")
    settings = {
        "server": {"port": port, "drain_delay": 0},
        "admin": {"port": 0},
        "upstreams": {"bench": {"url": f"http://127.0.0.1:{upstream}", "routes": ["/bench", "/slow"]}},
    }
    path.write_text(json.dumps(settings))
    return str(path)


def print_parts() -> None:
    """Micro-benchmarks, next to merely parsing the envelope's JSON."""
    print("Parts of a batch, microseconds (in brackets: times what parsing its JSON costs)")
    for operations in SIZES:
        parts = measure_parts(operations)
        floor = parts.pop("json")
        print(
            f"  {operations:3} operations  "
            + "   ".join(f"{name} {cost:.0f} ({cost / floor:.1f})" for name, cost in parts.items())
        )


def print_cpu(servers: dict[str, tuple[int, int]], rounds: int, sub_requests: int) -> None:
    """CPU per sub-request of the gateway and of the bare aggregator, and the median ratio of the rounds."""
    print("\nCPU per sub-request, microseconds; the aggregator is a bare aiohttp fan-out without any of the gateway's features")
    for operations in SIZES:
        spent: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(rounds):
            for name, (pid, port) in servers.items():
                batches = max(sub_requests // operations, 1)
                run(port, "/bench", operations, max(batches // 10, 1), 8)
                before = cpu_seconds(pid)
                run(port, "/bench", operations, batches, 8)
                spent[name].append((cpu_seconds(pid) - before) * 1e6 / (batches * operations))
        ratios = [ours / theirs for ours, theirs in zip(spent["gateway"], spent["aggregator"], strict=True)]
        figures = "   ".join(f"{name} {median(costs):.0f}" for name, costs in spent.items())
        print(f"  batch of {operations:2}   {figures}   ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def print_overhead(servers: dict[str, tuple[int, int]], upstream: int, rounds: int) -> None:
    """What a batch takes beyond its slowest operation."""
    print(
        f"\nOverhead of a batch over its slowest operation ({SLOW} ms), one batch at a time: p50, and as a share of the operation"
    )
    direct = median(asyncio.run(_direct(upstream)).latencies)
    for operations in SIZES:
        for name, (_, port) in servers.items():
            p50 = median(run(port, f"/slow/{SLOW}", operations, 40, 1).p50 for _ in range(rounds))
            over = p50 - direct
            print(f"  batch of {operations:2}   {name:10} {over * 1e3:5.1f} ms   {over / direct:6.1%}")


def run(port: int, prefix: str, operations: int, batches: int, connections: int) -> Load:
    """Batches of `operations` GETs below `prefix`."""
    text = envelope(operations).replace(b"/bench/", prefix.encode() + b"/")
    return asyncio.run(drive(f"http://127.0.0.1:{port}/batch", text, batches, connections, operations))


async def _direct(upstream: int) -> Load:
    """One slow operation, asked of the upstream itself."""
    latencies = []
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as session:
        for _ in range(40):
            started = loop.time()
            async with session.get(f"http://127.0.0.1:{upstream}/slow/{SLOW}/1") as response:
                await response.read()
            latencies.append(loop.time() - started)
    return Load(tuple(latencies))


if __name__ == "__main__":
    main()
