"""The real `python -m gateway demo`: what it prints, the line to try, and that nothing of it is left."""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import unused_port

from gateway.client import GatewayClient

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20.0
"""Seconds until a demo that says nothing is taken for dead."""

EXPECTED_ROWS = [
    ("✓", "user", "200"),
    ("✓", "preferences", "200"),
    ("✓", "notes", "200"),
    ("✓", "orders", "200"),
    ("✓", "lines", "200"),
    ("✓", "[0] /orders/1001/lines", "200"),
    ("✓", "[1] /orders/1002/lines", "200"),
    ("✓", "[2] /orders/1003/lines", "200"),
    ("✗", "shipment", "404"),
    ("✗", "parcel", "424"),
    ("✓", "note", "201"),
]


class Demo:
    """One demo process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def read_until(self, ending: str) -> None:
        """Keep every line up to the one that begins with `ending`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            async for line in self.process.stdout:
                self.lines.append(line.decode().rstrip("\n"))
                if self.lines[-1].startswith(ending):
                    return
        raise AssertionError(f"the demo ended early: {self.lines} {await self.errors()}")

    async def errors(self) -> str:
        """Everything on standard error; waits for the end of the process."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            return (await self.process.stderr.read()).decode()

    async def ended(self) -> int:
        """Wait for the end; the exit status."""
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal to the demo, which is running; the exit status."""
        self.process.send_signal(number)
        return await self.ended()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The real configuration with its services on free ports."""
    free = {port: str(unused_port()) for port in ("9101", "9102", "9103")}
    text = (ROOT / "config/demo.yaml").read_text()
    path = tmp_path / "demo.yaml"
    path.write_text(re.sub("|".join(free), lambda found: free[found[0]], text))  # at once: a free port may hold one of them
    return path


@pytest.fixture
def users_port(config: Path) -> int:
    match = re.search(r"url: http://127\.0\.0\.1:(\d+)", config.read_text())
    assert match is not None
    return int(match[1])


@asynccontextmanager
async def running_demo(config: Path, *arguments: str, **environment: str) -> AsyncIterator[Demo]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "demo", "--config", str(config), "--port", "0", "--admin-port", "0", *arguments),
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "80", **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    demo = Demo(process)
    try:
        yield demo
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_the_example_is_sent_and_drawn(config: Path) -> None:
    async with running_demo(config) as demo:
        await demo.read_until("Serving until Ctrl-C.")
        status = await demo.end()
        errors = await demo.errors()

    rows = [match for line in demo.lines if (match := re.match(r"([✓!✗]) +(\S.*?) +(\d{3}) ", line))]
    assert [match.groups() for match in rows] == EXPECTED_ROWS
    assert "  Not Found, answered by the upstream" in demo.lines
    assert any(line.startswith("  dependency-failed: ") for line in demo.lines)
    assert any(line.startswith("11 operations in ") and "one after another" in line for line in demo.lines)
    assert "2 of 11 failed" in demo.lines
    assert max(len(line) for line in demo.lines if not line.startswith("curl")) <= 80
    assert (status, errors) == (0, "")


async def test_the_answer_is_right(config: Path) -> None:
    async with running_demo(config) as demo:
        await demo.read_until("Serving until Ctrl-C.")
        url = next(line.split()[1] for line in demo.lines if line.startswith("gateway "))
        async with GatewayClient(url) as gateway:
            answer = await gateway.batch((ROOT / "config/demo.json").read_bytes())

    assert (answer.status, answer.operations, answer.failed) == (207, 11, 2)
    assert answer["user"].body["greeting"] == "Guten Tag"
    assert answer["preferences"].body["language"] == "en"
    assert [order["id"] for order in answer["orders"].body["items"]] == [1001, 1002, 1003]
    assert [child.path for child in answer["lines"].responses] == [f"/orders/{number}/lines" for number in (1001, 1002, 1003)]
    assert (answer["shipment"].status, answer["shipment"].reason) == (404, None)
    assert (answer["parcel"].status, answer["parcel"].reason) == (424, "dependency-failed")
    assert answer["parcel"].error is not None
    assert answer["parcel"].error["cause"] == "shipment"
    assert answer["note"].body == {
        "id": 3,  # the demo itself has written number 2
        "author": 42,
        "text": "Guten Tag, Ada Lovelace: orders 1001,1002,1003",
        "skus": ["KB-87", "CB-02", "PD-01", "MN-27"],
    }


async def test_the_line_to_try_works_as_it_is_printed(config: Path) -> None:
    async with running_demo(config) as demo:
        await demo.read_until("Serving until Ctrl-C.")
        command = next(line for line in demo.lines if line.startswith("curl "))
        assert shutil.which("curl"), "curl is what the demo tells people to use"
        curl = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
        output, _ = await curl.communicate()

    answer: dict[str, Any] = json.loads(output)
    assert shlex.split(command)[0] == "curl"
    assert [(entry["name"], entry["status"]) for entry in answer["responses"]] == [("user", 200), ("orders", 200)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_all_it_started(config: Path, number: int) -> None:
    async with running_demo(config) as demo:
        await demo.read_until("Serving until Ctrl-C.")
        status = await demo.end(number)

    assert status == 0
    urls = [line.split()[1] for line in demo.lines if re.match(r"\w+ +http", line)]
    assert len(urls) == 5
    for url in urls:
        port = int(url.split(":")[2].partition("/")[0])
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, url


async def test_a_terminal_that_knows_ascii_only_gets_ascii_only(config: Path) -> None:
    async with running_demo(config, PYTHONIOENCODING="ascii") as demo:
        await demo.read_until("Serving until Ctrl-C.")

    assert any(line.startswith("x shipment ") for line in demo.lines)


async def test_a_taken_port_of_the_gateway_is_one_line_that_names_it(config: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        async with running_demo(config, "--port", port) as demo:
            errors = await demo.errors()
            status = await demo.ended()

    assert (status, errors.count("\n")) == (1, 1)
    assert port in errors
    assert "--port" in errors


async def test_a_taken_port_of_a_service_is_one_line_that_names_it(config: Path, users_port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", users_port))
        taken.listen()
        async with running_demo(config) as demo:
            errors = await demo.errors()
            status = await demo.ended()

    assert status == 1
    assert errors == (
        f"gateway demo: port {users_port} on 127.0.0.1 is taken: end what uses it, or change upstreams.users.url in {config}\n"
    )


async def test_a_batch_that_is_refused_is_explained(config: Path, tmp_path: Path) -> None:
    batch = tmp_path / "batch.json"
    batch.write_text('{"requests": [\n  {"pth": "/users/42"}\n]}')
    async with running_demo(config, "--batch", str(batch)) as demo:
        errors = await demo.errors()
        status = await demo.ended()

    assert status == 1
    assert f"{batch}:2:" in errors
    assert '  2 |   {"pth": "/users/42"}' in errors


async def test_a_configuration_that_is_wrong_is_told_and_nothing_starts(tmp_path: Path) -> None:
    config = tmp_path / "demo.yaml"
    config.write_text("upstreems: {}\n")
    async with running_demo(config) as demo:
        errors = await demo.errors()
        status = await demo.ended()

    assert status == 1
    assert f"{config}:1:1" in errors
