"""A closed loop of batches over kept connections: each sends its next batch when the last is answered."""

import asyncio
import time
from dataclasses import dataclass
from statistics import median

import aiohttp


@dataclass(frozen=True, slots=True)
class Load:
    """What a run of batches took. `latencies` in seconds, one per batch."""

    latencies: tuple[float, ...]

    @property
    def p50(self) -> float:
        """The median latency in seconds."""
        return median(self.latencies)


async def drive(url: str, envelope: bytes, batches: int, connections: int, operations: int) -> Load:
    """Send `batches` batches over `connections` connections; fails unless each answers with every operation."""
    latencies: list[float] = []
    waiting = iter(range(batches))
    headers = {"content-type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:

        async def one_connection() -> None:
            for _ in waiting:
                started = time.perf_counter()
                async with session.post(url, data=envelope, headers=headers) as response:
                    body = await response.read()
                latencies.append(time.perf_counter() - started)
                if response.status != 200 or body.count(b'"status":200') != operations:
                    raise RuntimeError(f"{url} answered {response.status}: {body[:300]!r}")

        await asyncio.gather(*(one_connection() for _ in range(connections)))
    return Load(tuple(latencies))
