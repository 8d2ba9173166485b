"""Figures of the gateway, as ratios to its peers within one run.

    make bench                                   everything but --in-flight, about four minutes
    make bench BENCH="--rounds 9 --seconds 2"    for figures to quote
    make bench BENCH="--in-flight 10000"         only that: 10,000 operations in flight at once

The peers are a plain aggregator on aiohttp, always, and one in Lua inside nginx where Debian's
packages for it are installed. The server under measurement has one CPU, the upstream and the load
have the others. The figure to trust is the ratio; a quiet machine and the Python of a distribution
(make setup PYTHON=/usr/bin/python3.11) make it steadier.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench.comparison import compare
from tests.bench.dialects import measure_dialects
from tests.bench.in_flight import flood
from tests.bench.jobs import LINES, measure_jobs
from tests.bench.load import Generator, Incomplete
from tests.bench.parts import measure_parts, measure_references
from tests.bench.peers import PEERS, Server, find_program, gateway
from tests.bench.points import LATENCY, SLOW, THROUGHPUT
from tests.bench.processes import BESIDE, LOAD, CannotStart, choose_cpu, free_ports, resident_mebibytes, running
from tests.bench.streaming import measure_streaming
from tests.bench.tables import (
    show_comparison,
    show_dialects,
    show_flood,
    show_jobs,
    show_memory,
    show_parts,
    show_references,
    show_streaming,
    show_waiting,
)


def main() -> int:
    """Measure and print; 1 if a figure cannot be had."""
    options = parse_arguments()
    os.sched_setaffinity(0, {choose_cpu(LOAD)})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so that no process stays behind
    try:
        if options.in_flight:
            return tell_flood(options.in_flight)
        if options.jobs:
            tell_jobs(options.lines, options.rounds, options.seconds)
            return 0
        tell_parts(options.seconds / 10)
        with ExitStack() as stack:
            servers = start_servers(stack, options.peers)
            tell_comparison(servers, options.rounds, Generator(options.seconds, choose_load(options.load)))
            tell(
                "Streamed answers, CPU of the gateway, times what the plain answer takes",
                show_streaming(measure_streaming(servers[0], options.rounds)),
            )
        tell_jobs(options.lines, options.rounds, options.seconds)
    except (CannotStart, Incomplete) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def parse_arguments() -> argparse.Namespace:
    """The options, all of which have a default."""
    parser = argparse.ArgumentParser(
        "make bench", usage="make bench BENCH=…", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--rounds", type=int, default=3, metavar="N", help="rounds; the median is printed (default 3)")
    add("--seconds", type=float, default=1.0, metavar="S", help="per server, point and round (default 1; wrk: whole ones)")
    add("--peers", nargs="*", choices=PEERS, default=list(PEERS), help="whom to compare with (default: all)")
    add("--load", choices=("auto", "wrk", "streams"), default="auto", help="what sends the batches (default: wrk if installed)")
    add("--in-flight", type=int, default=0, metavar="N", help="have N operations in flight at once, and stop")
    add("--jobs", action="store_true", help="measure jobs, and stop")
    add("--lines", type=int, default=LINES, metavar="N", help=f"lines of a job (default {LINES})")
    return parser.parse_args()


def choose_load(asked: str) -> str | None:
    """The path of wrk if that is to send the batches."""
    wrk = find_program("wrk") if asked != "streams" else None
    if wrk is None and asked == "wrk":
        raise CannotStart("wrk is not installed: apt-get install wrk")
    return wrk


def start_servers(stack: ExitStack, peers: Sequence[str]) -> list[Server]:
    """The gateway, then its peers in front of the same upstream. One that cannot be started is told of and left out."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
    (upstream,) = free_ports(1)
    stack.enter_context(running([sys.executable, "-m", "tests.bench.upstream", str(upstream)], upstream, BESIDE))
    servers = [stack.enter_context(gateway(folder, upstream))]
    for name in peers:
        try:
            servers.append(stack.enter_context(PEERS[name](folder, upstream)))
        except CannotStart as error:
            print(f"\nWithout {name}: {error}", flush=True)
    return servers


def tell_parts(seconds: float) -> None:
    """Micro-benchmarks."""
    tell(
        "Parts of a batch, µs (in brackets: times what parsing the JSON of its envelope takes)",
        show_parts([(point.label, measure_parts(point, seconds)) for point in THROUGHPUT]),
    )
    tell(
        "Finding what a reference names, µs (in brackets: times what parsing the JSON it reads takes)",
        show_references(measure_references(seconds)),
    )
    tell(
        "The same operations in other dialects, µs per operation in the native one, and times that",
        show_dialects(measure_dialects(seconds * 10)),
    )


def tell_comparison(servers: Sequence[Server], rounds: int, generator: Generator) -> None:
    """CPU, latency and memory of the servers."""
    idle = [resident_mebibytes(server.pid, "VmRSS") for server in servers]
    loaded = compare(servers, THROUGHPUT, rounds, generator)
    single = compare(servers, [LATENCY], rounds, generator)
    peak = [resident_mebibytes(server.pid, "VmHWM") for server in servers]
    how = f"median of {rounds} rounds of {generator.seconds:g} s, load by {'wrk' if generator.wrk else 'streams'}"
    tell(
        f"CPU per sub-request, µs, of the whole process tree: {how}",
        show_comparison(servers, THROUGHPUT, loaded, lambda run: run.cpu),
    )
    tell("Not at full load:", show_waiting(loaded))
    tell(
        f"Latency, ms, p50 of one batch at a time over an upstream that takes {SLOW} ms",
        show_comparison(servers, [LATENCY], single, lambda run: run.p50),
    )
    tell("Memory, MiB: VmRSS after the start, VmHWM after all of the above", show_memory(servers, idle, peak))


def tell_jobs(lines: int, rounds: int, seconds: float) -> None:
    """Batches that run later."""
    tell(
        f"Jobs: median of {rounds} rounds, beside live batches for {3 * seconds:g} s",
        show_jobs(measure_jobs(lines, rounds, 3 * seconds)),
    )


def tell_flood(operations: int) -> int:
    """Very many operations at once; 1 if one failed."""
    result = flood(operations)
    print(*show_flood(result), sep="\n")
    return int(any(wave.failed for wave in result.waves))


def tell(title: str, lines: Iterable[str]) -> None:
    """A title and its lines; nothing where there are none."""
    lines = list(lines)
    if lines:
        print(f"\n{title}", *lines, sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
