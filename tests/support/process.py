"""The real gateway: `python -m gateway serve` in a process of its own, on ports the system chooses.

async with running_gateway({"upstreams": {...}}) as gateway:
    ... gateway.url, gateway.admin_url ...
assert gateway.events("batch")
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

PATIENCE = 20.0
"""Seconds until a process that says nothing is taken for dead."""


class Gateway:
    """One gateway process. Every line it writes is kept; its log lines are JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self.errors: list[str] = []
        self._grew = asyncio.Condition()
        self._ended = False
        self._readers = (asyncio.create_task(self._read_log()), asyncio.create_task(self._read_errors()))
        self.url = ""
        self.admin_url = ""

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of one event, oldest first."""
        return [line for line in self.lines if line.get("event") == name]

    async def wait_for(self, name: str, count: int = 1, match: Callable[[dict[str, Any]], bool] = bool) -> dict[str, Any]:
        """The `count`-th log line of that event that `match` accepts; fails if the process ends first."""

        def found() -> list[dict[str, Any]]:
            return [line for line in self.events(name) if match(line)]

        async with asyncio.timeout(PATIENCE), self._grew:
            await self._grew.wait_for(lambda: len(found()) >= count or self._ended)
        if len(found()) < count:
            raise AssertionError(f"the gateway ended before it logged {name!r}; stderr: {self.errors}, log: {self.lines}")
        return found()[count - 1]

    async def listen(self) -> None:
        """Wait until it listens, and learn where."""
        line = await self.wait_for("listening")
        self.url, self.admin_url = line["public"], line["admin"]

    def signal(self, number: int) -> None:
        """Send a signal to this process."""
        self.process.send_signal(number)

    async def exit_status(self) -> int:
        """Wait for the process to end by itself, and for its last line."""
        async with asyncio.timeout(PATIENCE):
            status = await self.process.wait()
            await asyncio.gather(*self._readers)
        return status

    async def stop(self) -> int:
        """SIGTERM, and SIGKILL if that does not help."""
        if self.process.returncode is None:
            self.signal(signal.SIGTERM)
        try:
            return await self.exit_status()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise

    async def _read_log(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._grew:
                try:
                    self.lines.append(json.loads(line))
                except ValueError:
                    self.lines.append({"event": "not-json", "text": line.decode(errors="replace")})
                self._grew.notify_all()
        async with self._grew:
            self._ended = True
            self._grew.notify_all()

    async def _read_errors(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.errors.append(line.decode(errors="replace").rstrip())


async def start_process(*arguments: str, environment: dict[str, str] | None = None) -> Gateway:
    """`python -m gateway …` with pipes for its output; the caller waits for its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        cwd=ROOT,
        env=os.environ | (environment or {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    return Gateway(process)


def on_free_ports(config: dict[str, Any]) -> dict[str, Any]:
    """`config` with both listeners on port 0 and no drain delay, where it does not say otherwise."""
    return config | {
        "server": {"port": 0, "drain_delay": 0} | config.get("server", {}),
        "admin": {"port": 0} | config.get("admin", {}),
    }


def write_config(folder: str | Path, config: dict[str, Any]) -> str:
    """A configuration file (JSON is YAML) in `folder`, listening on free ports; its path."""
    path = Path(folder, "gateway.yaml")
    path.write_text(json.dumps(on_free_ports(config)))
    return str(path)


@asynccontextmanager
async def running_gateway(
    config: dict[str, Any], environment: dict[str, str] | None = None, workers: int = 1
) -> AsyncIterator[Gateway]:
    """A gateway that serves `config` (the settings as a mapping), stopped with SIGTERM at the end."""
    with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
        command = ("serve", "--config", write_config(folder, config), "--workers", str(workers))
        gateway = await start_process(*command, environment=environment)
        try:
            await gateway.listen()
            yield gateway
        finally:
            await gateway.stop()
