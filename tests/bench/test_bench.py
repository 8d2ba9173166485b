"""The benchmark runs, says what it should, and gives no figure for work that was not done."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.comparison import Ratio, take_ratio
from tests.bench.load import Generator, Incomplete, check
from tests.bench.peers import aggregator
from tests.bench.points import LATENCY, THROUGHPUT
from tests.bench.processes import BESIDE, free_ports, list_tree, resident_mebibytes, running
from tests.bench.upstream import ANSWERS, SMALL

ROOT = Path(__file__).resolve().parents[2]


def bench(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, check=False, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def upstream() -> Iterator[int]:
    (port,) = free_ports(1)
    with running([sys.executable, "-m", "tests.bench.upstream", str(port)], port, BESIDE):
        yield port


def test_a_run_prints_every_figure_within_100_columns_and_goes_on_without_a_peer(tmp_path: Path) -> None:
    (tmp_path / "nginx").write_text("#!/bin/sh\necho 'unknown directive' >&2; exit 1\n")
    (tmp_path / "nginx").chmod(0o755)
    options = ("--rounds", "1", "--seconds", "0.02", "--load", "streams", "--lines", "300")
    run = bench(*options, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert [line.partition(",")[0] for line in lines if re.match(r"\S", line) and line != "Not at full load:"] == [
        "Parts of a batch",
        "Finding what a reference names",
        "The same operations in other dialects",
        "Without nginx+Lua: unknown directive",
        "CPU per sub-request",
        "Latency",
        "Memory",
        "Streamed answers",
        "Jobs: median of 1 rounds",
    ]
    assert [re.findall(r"(\w+) \d+\.\d\d \(", line) for line in lines if re.search(r"\d-\d+\.\d\d\)$", line)] == [
        ["graph"], ["graph", "collector"], ["streamed"], ["streamed"], ["ratio"], ["ratio"]
    ]  # fmt: skip
    assert "  Debian, Ubuntu: apt-get install nginx libnginx-mod-http-lua lua-cjson" in lines
    labels = [line[2:16].strip() for line in lines if re.search(r"\(\S+ to \S+\)$", line) and "ratio" not in line]
    assert labels == [point.label for point in (*THROUGHPUT, LATENCY)]


def test_operations_in_flight_are_counted_and_none_fails() -> None:
    run = bench("--in-flight", "105")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("105 operations in flight at once over 10 upstreams\n  wave 1: 0 failed in ")


def test_a_server_that_does_not_do_the_whole_work_gets_no_figure(tmp_path: Path) -> None:
    (nobody,) = free_ports(1)
    with aggregator(tmp_path, nobody) as server, pytest.raises(Incomplete, match="500 Internal Server Error"):
        check(server.port, THROUGHPUT[0])


def test_an_answer_that_is_shorter_than_it_should_be_ends_the_run(tmp_path: Path, upstream: int) -> None:
    with aggregator(tmp_path, upstream) as server, pytest.raises(Incomplete, match="bytes instead of"):
        Generator(0.01, None).drive(server.port, THROUGHPUT[0], 2 * check(server.port, THROUGHPUT[0]))


def test_held_requests_are_answered_when_there_are_enough(upstream: int) -> None:
    async def ask_for(path: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", upstream)
        writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
        try:
            return await reader.readuntil(SMALL)
        finally:
            writer.close()

    async def ask_twice() -> list[bytes]:
        async with asyncio.timeout(10):
            first = asyncio.ensure_future(ask_for("/held/2/1"))
            await ask_for("/small/1")  # answered after the first has come, and before the second is asked
            assert not first.done()
            return [await ask_for("/held/2/2"), await first]

    assert asyncio.run(ask_twice()) == [ANSWERS[b"small"]] * 2


def test_ratios_are_taken_round_by_round() -> None:
    assert take_ratio([10.0, 30.0, 20.0], [10.0, 10.0, 40.0]) == Ratio(1.0, 0.5, 3.0)


def test_a_tree_of_processes_is_counted_as_a_whole() -> None:
    shell = subprocess.Popen(["/bin/sh", "-c", "sleep 60 & echo; wait"], stdout=subprocess.PIPE)
    assert shell.stdout is not None
    shell.stdout.readline()
    mother, child = list_tree(shell.pid)
    try:
        assert resident_mebibytes(mother, "VmRSS") > resident_mebibytes(child, "VmRSS") > 0
    finally:
        os.kill(child, signal.SIGTERM)
        shell.communicate(timeout=10)
