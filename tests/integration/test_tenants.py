"""Who may see what, through the real process: each client has an API key, and what one has is nowhere for another."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

from tests.support.process import PATIENCE, Gateway, running_gateway
from tests.support.upstream import ScriptedUpstream

SHOP, BANK = "shop-key-0123456789", "bank-key-0123456789"
LINE = {"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": {"input": "x"}}
CALLBACK: dict[str, Any] = {
    "jobs": [{"namespace": "event", "action": "get", "params": {}}],
    "callbackUrl": "https://192.0.2.1/",
}


def hash_of(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


class Reply(NamedTuple):
    status: int
    headers: Any
    json: Any


class Caller:
    """Somebody with a key, or with none."""

    def __init__(self, gateway: Gateway, session: aiohttp.ClientSession, key: str | None) -> None:
        self._url = gateway.url
        self._session = session
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Ask; `body` is form data, or what is to be JSON."""
        sent = {"data": body} if isinstance(body, aiohttp.FormData) else {} if body is None else {"json": body}
        fields = self._headers | {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(method, self._url + path, headers=fields, **sent) as response:
            text = await response.read()
            return Reply(response.status, response.headers, json.loads(text) if text else None)

    async def upload(self, content: bytes = b"") -> Reply:
        form = aiohttp.FormData({"purpose": "batch"})
        form.add_field("file", content or json.dumps(LINE).encode(), filename="in.jsonl")
        return await self("POST", "/v1/files", form)

    async def batch(self, file_id: str) -> Reply:
        body = {"input_file_id": file_id, "endpoint": "/v1/embeddings", "completion_window": "24h"}
        return await self("POST", "/v1/batches", body)

    async def job(self) -> Reply:
        return await self("POST", "/batch", {"requests": [{"path": "/v1/embeddings"}]}, Prefer="respond-async")

    async def callback_job(self) -> Reply:
        return await self("POST", "/api/1.0/batch?action=run", CALLBACK)


class Callers(NamedTuple):
    shop: Caller
    bank: Caller
    nobody: Caller
    upstream: ScriptedUpstream


@asynccontextmanager
async def callers(folder: Path, auth: str = "keys", **quota: Any) -> AsyncIterator[Callers]:
    """Two clients, of which the shop has a quota, and somebody who is none."""
    async with ScriptedUpstream() as upstream:
        routes = [{"path": "/v1", "file_batches": True}, "/api/1.0"]
        config = {
            "server": {"shutdown_timeout": "100ms"},
            "upstreams": {"a": {"url": upstream.url, "routes": routes}},
            "dialects": {"ivvy": {"path": "/api/1.0/batch"}},
            "jobs": {"enabled": True, "auth": auth, "data": str(folder), "callbacks": {"allow": ["192.0.2.0/24"]}},
            "clients": {"shop": {"keys": [hash_of(SHOP)], "quota": quota}, "bank": {"keys": [hash_of(BANK)]}},
        }
        async with running_gateway(config) as gateway, aiohttp.ClientSession() as session:
            shop, bank, nobody = [Caller(gateway, session, key) for key in (SHOP, BANK, None)]
            yield Callers(shop, bank, nobody, upstream)


def find_text(folder: Path, text: str) -> list[str]:
    """Names of the files that hold it."""
    return [path.name for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def other_paths(file_id: str, batch_id: str, job_id: str) -> list[tuple[str, str]]:
    return [
        ("GET", f"/v1/files/{file_id}"),
        ("GET", f"/v1/files/{file_id}/content"),
        ("DELETE", f"/v1/files/{file_id}"),
        ("GET", f"/v1/batches/{batch_id}"),
        ("POST", f"/v1/batches/{batch_id}/cancel"),
        ("GET", f"/jobs/{job_id}"),
        ("GET", f"/jobs/{job_id}/results"),
        ("GET", f"/jobs/{job_id}/events"),
        ("DELETE", f"/jobs/{job_id}"),
    ]


async def test_what_one_client_has_is_nowhere_for_another(tmp_path: Path) -> None:
    async with callers(tmp_path) as (shop, bank, _, _):
        file_id = (await shop.upload()).json["id"]
        batch_id = (await shop.batch(file_id)).json["id"]
        job_id = (await shop.job()).json["id"]
        async_id = (await shop.callback_job()).json["asyncId"]

        for method, path in other_paths(file_id, batch_id, job_id):
            unknown = path.replace(file_id, "file-" + "0" * 32).replace(batch_id, "batch_" + "0" * 32)
            unknown = unknown.replace(job_id, "job_" + "0" * 32)
            theirs, nothing = await bank(method, path), await bank(method, unknown)
            assert theirs.status == nothing.status == 404, path
            assert "shop" not in json.dumps(theirs.json)
        for listing in ("/v1/files", "/v1/batches"):
            assert (await bank("GET", listing)).json["data"] == []
            assert len((await shop("GET", listing)).json["data"]) == 1
        assert job_id not in json.dumps((await bank("GET", "/jobs")).json)
        assert job_id in json.dumps((await shop("GET", "/jobs")).json)
        # A file of another client is no input, and none to go on from.
        batch = (await bank.batch(file_id)).json
        async with asyncio.timeout(PATIENCE):
            while batch["status"] in ("validating", "in_progress"):
                batch = (await bank("GET", f"/v1/batches/{batch['id']}")).json
        assert (batch["status"], batch["request_counts"]["total"]) == ("failed", 0)
        assert (await bank("GET", f"/v1/files?after={file_id}")).json["data"] == []
        for action in ("progress", "results", "restart", "repost"):
            assert (await bank("POST", f"/api/1.0/batch?action={action}", {"async": async_id})).status == 404
        for kind in ("/jobs", "/v1/batches"):
            assert (await shop("GET", f"{kind}/{async_id}")).status == 404

        assert (await shop("GET", f"/v1/files/{file_id}")).json["bytes"] == len(json.dumps(LINE))
        assert (await shop("GET", f"/v1/batches/{batch_id}")).json["id"] == batch_id
        assert (await shop("GET", f"/jobs/{job_id}")).json["id"] == job_id
        assert (await shop("POST", "/api/1.0/batch?action=progress", {"async": async_id})).json == {"progress": 0}


async def test_without_a_known_key_nothing_is_served_or_stored(tmp_path: Path) -> None:
    async with callers(tmp_path) as (shop, _, nobody, upstream):
        file_id = "file-" + "0" * 32
        asked = [*other_paths(file_id, "batch_x", "job_x"), ("GET", "/v1/files"), ("GET", "/v1/batches"), ("GET", "/jobs")]
        for method, path in asked:
            for key in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {hash_of(SHOP)}"}):
                reply = await nobody(method, path, **key)
                assert reply.status == 401, (method, path, key)
                assert reply.headers["www-authenticate"] == 'Bearer realm="gateway"'
        assert [reply.status for reply in (await nobody.upload(), await nobody.batch(file_id), await nobody.job())] == [401] * 3
        assert (await nobody.callback_job()).json["errorCode"] == 401
        assert (await shop("GET", "/v1/files")).json["data"] == []
        assert upstream.arrivals == []


async def test_a_key_of_the_gateways_reaches_no_upstream(tmp_path: Path) -> None:
    async with callers(tmp_path) as (shop, _, _, upstream):
        await shop.job()
        await shop.callback_job()
        arrivals = [(await upstream.arrived(number)).arrival for number in (1, 2)]
        assert [value for arrival in arrivals for _, value in arrival.headers if SHOP in value] == []
    assert find_text(tmp_path, SHOP) == []


async def test_a_quota_of_jobs_is_one_clients(tmp_path: Path) -> None:
    async with callers(tmp_path, jobs=2) as (shop, bank, _, upstream):
        first = await shop.job()
        assert (first.status, (await shop.callback_job()).status) == (202, 200)
        await upstream.arrived(2)
        refused = await shop.job()
        assert (refused.status, refused.json["reason"]) == (429, "quota-exceeded")
        assert (await shop.callback_job()).json["specificCode"] == 24091
        assert (await bank.job()).status == 202
        # What has ended does not count.
        await upstream.arrived(3)
        await shop("DELETE", f"/jobs/{first.json['id']}")
        for exchange in upstream.exchanges:
            exchange.answer(b"HTTP/1.1 204 No Content\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            while (reply := await shop.job()).status == 429:
                pass
        assert reply.status == 202


async def test_a_quota_of_lines_counts_those_of_all_jobs(tmp_path: Path) -> None:
    async with callers(tmp_path, lines=3) as (shop, _, _, _):
        two = {**CALLBACK, "jobs": CALLBACK["jobs"] * 2}
        assert (await shop("POST", "/api/1.0/batch?action=run", two)).status == 200
        refused = await shop("POST", "/api/1.0/batch?action=run", two)
        assert (refused.status, refused.json["errorCode"], refused.json["specificCode"]) == (429, 429, 24091)
        assert (await shop.callback_job()).status == 200


async def test_a_quota_of_bytes_is_given_back_with_the_file(tmp_path: Path) -> None:
    async with callers(tmp_path, stored=1000) as (shop, bank, _, _):
        first = await shop.upload(b"x" * 600)
        assert first.status == 200
        refused = await shop.upload(b"x" * 600)
        assert (refused.status, refused.json["error"]["code"]) == (429, "insufficient_quota")
        assert refused.headers["x-should-retry"] == "false"
        assert (await bank.upload(b"x" * 600)).status == 200
        assert (await shop("DELETE", f"/v1/files/{first.json['id']}")).status == 200
        assert (await shop.upload(b"x" * 600)).status == 200


async def test_without_auth_everybody_is_one_client(tmp_path: Path) -> None:
    async with callers(tmp_path, auth="none") as (shop, bank, nobody, _):
        file_id = (await shop.upload()).json["id"]
        assert (await bank("GET", f"/v1/files/{file_id}")).status == 200
        assert (await nobody("DELETE", f"/v1/files/{file_id}")).status == 200
