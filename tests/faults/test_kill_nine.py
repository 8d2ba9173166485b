"""kill -9 in the middle of a job, again and again: nothing is lost, and nothing that was safe is sent again."""

import asyncio
import json
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from gateway.batch.job import Series
from gateway.storage.opening import open_storage
from tests.support.process import PATIENCE, Gateway, start_process, write_config

LINES = 5_000
LATENCY = 0.05
"""Seconds that the upstream takes."""

EVERY_FAILING = 50
"""Each so many lines the upstream answers 500."""


class Arrivals:
    """The lines that an upstream has received, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._moment = 0
        self._reached = asyncio.Event()

    def note(self, line: str) -> None:
        self.lines.append(line)
        if len(self.lines) >= self._moment:
            self._reached.set()

    async def more(self, count: int) -> None:
        """Wait until so many more have come."""
        self._moment = len(self.lines) + count
        self._reached.clear()
        async with asyncio.timeout(PATIENCE):
            await self._reached.wait()


class Upstream(asyncio.Protocol):
    """One connection of an upstream that notes which lines arrive."""

    def __init__(self, arrived: Arrivals) -> None:
        self._arrived = arrived
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0] or 0)
            if not end or len(rest) < length:
                return
            self._buffer = rest[length:]
            line = json.loads(rest[:length])["line"]
            self._arrived.note(line)
            asyncio.get_running_loop().call_later(LATENCY, self._answer, line)

    def _answer(self, line: str) -> None:
        status = b"500 Internal Server Error" if int(line) % EVERY_FAILING == 0 else b"200 OK"
        body = json.dumps({"line": line}).encode()
        head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % (status, len(body))
        if not self._transport.is_closing():
            self._transport.write(head + body)


@asynccontextmanager
async def noting_upstream(arrived: Arrivals) -> AsyncIterator[int]:
    """Its port."""
    server = await asyncio.get_running_loop().create_server(lambda: Upstream(arrived), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def configuration(folder: Path, port: int, resends: bool) -> str:
    upstream = {
        "url": f"http://127.0.0.1:{port}",
        "routes": [{"path": "/echo", "file_batches": True}],
        "jobs": {"idempotency_key": resends},
    }
    jobs = {"enabled": True, "auth": "none", "data": str(folder / "data"), "flush": {"interval": 0.03}, "attempts": 1000}
    return write_config(folder, {"upstreams": {"echo": upstream}, "jobs": jobs})


async def start(config: str) -> Gateway:
    gateway = await start_process("serve", "--config", config)
    await gateway.listen()
    return gateway


def write_lines() -> bytes:
    def line(number: int) -> dict[str, Any]:
        return {"custom_id": f"id-{number}", "method": "POST", "url": "/echo", "body": {"line": str(number)}}

    return b"".join(json.dumps(line(number)).encode() + b"\n" for number in range(LINES))


async def submit(session: aiohttp.ClientSession, url: str) -> str:
    form = aiohttp.FormData()
    form.add_field("purpose", "batch")
    form.add_field("file", write_lines(), filename="lines.jsonl", content_type="application/octet-stream")
    async with session.post(f"{url}/v1/files", data=form) as answer:
        assert answer.status == 200, await answer.text()
        file = (await answer.json())["id"]
    batch = {"input_file_id": file, "endpoint": "/echo", "completion_window": "24h"}
    async with session.post(f"{url}/v1/batches", json=batch) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["id"])


async def look(session: aiohttp.ClientSession, url: str, batch: str) -> dict[str, Any]:
    async with session.get(f"{url}/v1/batches/{batch}") as answer:
        assert answer.status == 200, await answer.text()
        found: dict[str, Any] = await answer.json()
        return found


async def read_records(session: aiohttp.ClientSession, url: str, file: str) -> list[dict[str, Any]]:
    async with session.get(f"{url}/v1/files/{file}/content") as answer:
        assert answer.status == 200
        return [json.loads(line) for line in (await answer.read()).splitlines()]


async def read_safe_lines(folder: Path, batch: str) -> set[str]:
    """The lines whose results are committed, out of the store of a gateway that is dead."""
    storage = await open_storage(str(folder / "data"), os.urandom)
    try:
        async with storage.records.begin() as tx:
            parts = [*await tx.parts(batch, Series.RESULTS), *await tx.parts(batch, Series.ERRORS)]
    finally:
        await storage.close()
    return {str(line) for part in parts for line, _ in part.index}


@pytest.mark.parametrize(
    ("kills", "resends"),
    [(20, False), (8, True)],
    ids=["20 times, what was in flight fails", "8 times, what was in flight is sent again"],
)
async def test_every_line_has_its_result_exactly_once_whenever_the_process_is_killed(
    tmp_path: Path, kills: int, resends: bool
) -> None:
    pick = random.Random(20)
    arrived = Arrivals()
    async with noting_upstream(arrived) as port, aiohttp.ClientSession() as session:
        config = configuration(tmp_path, port, resends)
        gateway = await start(config)
        batch = await submit(session, gateway.url)
        safe: list[tuple[int, set[str]]] = []
        for _ in range(kills):
            await arrived.more(pick.randrange(1, LINES // kills))  # wherever in the work that is
            gateway.signal(signal.SIGKILL)
            await gateway.exit_status()
            safe.append((len(arrived.lines), await read_safe_lines(tmp_path, batch)))
            gateway = await start(config)
        while (found := await look(session, gateway.url, batch))["status"] != "completed":
            assert found["status"] in {"validating", "in_progress", "finalizing"}, found
            await asyncio.sleep(0.05)
        results = await read_records(session, gateway.url, found["output_file_id"])
        errors = await read_records(session, gateway.url, found["error_file_id"])
        await gateway.stop()

    ids = Counter(record["custom_id"] for record in results + errors)
    assert ids == Counter(f"id-{number}" for number in range(LINES))
    assert found["request_counts"] == {"total": LINES, "completed": len(results), "failed": len(errors)}
    assert {record["response"]["status_code"] for record in results} == {200}
    unanswered = [record["error"]["code"] for record in errors if record["response"] is None]
    refused = [record["custom_id"] for record in errors if record["response"] is not None]
    assert all(int(one.removeprefix("id-")) % EVERY_FAILING == 0 for one in refused)
    assert 0 < len(safe[kills // 2][1]) < LINES, "the kills came before or after the work"
    for before, lines in safe:
        assert not lines & set(arrived.lines[before:])
    if resends:
        assert not unanswered
        assert set(arrived.lines) == {str(number) for number in range(LINES)}
    else:
        assert set(unanswered) == {"interrupted"}
        assert max(Counter(arrived.lines).values()) == 1
