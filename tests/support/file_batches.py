"""A client of OpenAI's API for files and batches, as plain as can be, and a gateway for it.

async with serving(tmp_path, echo) as (api, upstream):
    batch = await api.until(await api.run(lines(20)), "completed")
    output, errors = await api.records(batch)
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.process import Gateway, running_gateway
from tests.support.upstream import Answer, Arrival, Script, ScriptedUpstream, respond_json

ENDPOINT = "/v1/chat/completions"
FINAL = ("completed", "failed", "cancelled", "expired")
PATIENCE = 20.0
POLL = 0.02
"""Seconds between two looks at a batch: a client has nothing else to wait by."""


class Api:
    """One client of a gateway. An answer is its status and its JSON."""

    def __init__(self, gateway: Gateway, key: str = "sk-ann") -> None:
        self.gateway = gateway
        self._session = aiohttp.ClientSession(gateway.url, headers={"authorization": f"Bearer {key}"})

    async def __aenter__(self) -> "Api":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        async with self._session.request(method, f"/v1{path}", **more) as response:
            return response.status, await response.json()

    async def headers(self, method: str, path: str, **more: Any) -> dict[str, str]:
        async with self._session.request(method, f"/v1{path}", **more) as response:
            return {name.lower(): value for name, value in response.headers.items()}

    async def content(self, file_id: str) -> bytes:
        async with self._session.get(f"/v1/files/{file_id}/content") as response:
            assert response.status == 200
            return await response.read()

    async def upload(self, content: Any, purpose: str = "batch", filename: str = "a.jsonl", **fields: str) -> tuple[int, Any]:
        """The file first, as OpenAI's client for JavaScript sends it."""
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("file", content, filename=filename, content_type="application/octet-stream")
        form.add_field("purpose", purpose)
        for name, value in fields.items():
            form.add_field(f"expires_after[{name}]", value)
        return await self.ask("POST", "/files", data=form)

    async def create(self, input_file: str, **fields: Any) -> Any:
        asked = {"input_file_id": input_file, "endpoint": ENDPOINT, "completion_window": "24h"} | fields
        status, batch = await self.ask("POST", "/batches", json=asked)
        assert (status, batch["status"]) == (200, "validating"), batch
        return batch

    async def run(self, content: bytes, **fields: Any) -> Any:
        status, file = await self.upload(content)
        assert status == 200
        return await self.create(file["id"], **fields)

    async def find(self, batch: Any) -> Any:
        """The batch as it is now."""
        status, found = await self.ask("GET", f"/batches/{batch['id']}")
        assert status == 200
        return found

    async def until(self, batch: Any, *states: str) -> Any:
        """The batch when it is in one of the states, or has ended."""
        try:
            async with asyncio.timeout(PATIENCE):
                while batch["status"] not in states:
                    assert batch["status"] not in FINAL, batch
                    await asyncio.sleep(POLL)
                    batch = await self.find(batch)
        except TimeoutError:
            told = [event for event in self.gateway.lines if event.get("level") != "info"]
            raise AssertionError(f"it stays as it is: {batch}; the gateway says {told}") from None
        return batch

    async def records(self, batch: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the output file and the error file say, by custom_id, each of which there is once in all."""
        read: list[list[Any]] = []
        for file_id in (batch["output_file_id"], batch["error_file_id"]):
            content = b"" if file_id is None else await self.content(file_id)
            assert content or file_id is None
            read.append([json.loads(line) for line in content.splitlines()])
        ids = [record["custom_id"] for records in read for record in records]
        assert len(ids) == len(set(ids))
        output, errors = ({record["custom_id"]: record for record in records} for records in read)
        return output, errors


@asynccontextmanager
async def serving(
    folder: Path, script: Script, windows: tuple[str, ...] = ("24h",), **jobs: Any
) -> AsyncIterator[tuple[Api, ScriptedUpstream]]:
    keys = {name: {"keys": [f"sha256:{hashlib.sha256(f'sk-{name}'.encode()).hexdigest()}"]} for name in ("ann", "bob")}
    async with ScriptedUpstream(script) as upstream:
        config = {
            "upstreams": {
                "models": {"url": upstream.url, "timeout": "2s", "routes": [{"path": ENDPOINT, "file_batches": True}]}
            },
            "dialects": {"openai": {"completion_windows": list(windows)}},
            "clients": keys,
            "jobs": {"enabled": True, "data": str(folder / "data")} | jobs,
        }
        async with running_gateway(config) as gateway, Api(gateway) as api:
            yield api, upstream


def line(name: str, **changes: Any) -> bytes:
    """A line of a file of requests, without what is changed to `...`."""
    good = {"custom_id": name, "method": "POST", "url": ENDPOINT, "body": {"id": name}} | changes
    return json.dumps({name: value for name, value in good.items() if value is not ...}).encode()


def lines(count: int) -> bytes:
    return b"\n".join([line(str(number)) for number in range(count)])


def echo(arrival: Arrival) -> Answer:
    return respond_json({"sent": json.loads(arrival.body)})


def hold(_: Arrival) -> None:
    return None
