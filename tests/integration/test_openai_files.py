"""Files over real sockets, as clients of OpenAI's API have them: uploaded, listed, read and deleted.

`must_pass_N` is the N-th thing that clients of OpenAI's Batch API rely on here: 1 files come back byte for byte; 8 they pass
through in little memory; 9 one key sees nothing of another.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.file_batches import Api, echo, hold, lines, serving
from tests.support.process import Gateway


async def test_must_pass_1_files_of_any_kind_come_back_byte_for_byte(tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    async with serving(tmp_path, hold) as (api, _):
        files = [(await api.upload(content, "user_data", "ü.png"))[1], (await api.upload(b"", "batch"))[1]]
        assert [(file["bytes"], file["filename"], file["status"]) for file in files] == [
            (256_000, "ü.png", "processed"),
            (0, "a.jsonl", "processed"),
        ]
        assert [await api.content(file["id"]) for file in files] == [content, b""]
        headers = await api.headers("GET", f"/files/{files[0]['id']}/content")
        assert headers["content-length"] == "256000"
        listed = (await api.ask("GET", "/files"))[1]
        assert (listed["data"], listed["has_more"]) == (files[::-1], False)
        assert (await api.ask("GET", "/files?purpose=batch"))[1]["data"] == [files[1]]
        assert (await api.ask("GET", "/files?order=asc&limit=1"))[1]["data"] == [files[0]]
        # Clients say that they send JSON, and send nothing.
        gone = await api.ask("DELETE", f"/files/{files[0]['id']}", headers={"content-type": "application/json"})
        assert gone == (200, {"id": files[0]["id"], "object": "file", "deleted": True})
        assert (await api.ask("GET", f"/files/{files[0]['id']}"))[0] == 404
        assert (await api.ask("GET", f"/files/{files[0]['id']}/content"))[0] == 404


async def test_must_pass_1_files_are_kept_thirty_days_or_as_long_as_asked(tmp_path: Path) -> None:
    async with serving(tmp_path, hold) as (api, _):
        file = (await api.upload(b"{}"))[1]
        assert file["expires_at"] - file["created_at"] == 30 * 86_400
        file = (await api.upload(b"{}", anchor="created_at", seconds="3600"))[1]
        assert file["expires_at"] - file["created_at"] == 3600


async def test_what_is_wrong_with_an_upload_is_told_and_nothing_is_stored(tmp_path: Path) -> None:
    async with serving(tmp_path, hold, upload=100_000) as (api, _):
        refused = [
            await api.upload(b"{}", filename="upload"),
            await api.upload(b"{}", purpose="party"),
            await api.upload(b"{}", anchor="created_at", seconds="10"),
            await api.ask("POST", "/files", data=b"--x\r\n", headers={"content-type": "multipart/form-data; boundary=x"}),
            await api.ask("POST", "/files", json={}),
            await api.upload(b"x" * 100_001),
            await api.upload(b"x" * 1_000_000),
        ]
        assert [(status, set(answer["error"])) for status, answer in refused] == [
            (status, {"message", "type", "param", "code"}) for status in (400, 400, 400, 400, 415, 413, 413)
        ]
        assert refused[0][1]["error"]["message"] == "Invalid file format for Batch API. Must be .jsonl"
        assert (await api.ask("GET", "/files"))[1]["data"] == []
        assert (await api.upload(b"x" * 100_000))[0] == 200
        objects = [path for path in (tmp_path / "data").rglob("*") if path.is_file() and path.stat().st_size == 100_000]
        assert len(objects) == 1


async def test_a_client_that_leaves_in_an_upload_leaves_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, hold) as (api, _):
        host, _, port = api.gateway.url.removeprefix("http://").rpartition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = "POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk-ann\r\nContent-Length: 1000000\r\n"
        part = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n'
        writer.write(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n{part}".encode() + b"x" * 500_000)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        await api.gateway.wait_for("batch", match=lambda event: event["status"] == 499)
        assert (await api.ask("GET", "/files"))[1]["data"] == []


async def test_result_files_are_kept_as_long_as_asked(tmp_path: Path) -> None:
    async with serving(tmp_path, echo) as (api, _):
        batch = await api.run(lines(1), output_expires_after={"anchor": "created_at", "seconds": 7200})
        batch = await api.until(batch, "completed")
        file = (await api.ask("GET", f"/files/{batch['output_file_id']}"))[1]
        assert file["expires_at"] - file["created_at"] == 7200


async def test_a_file_that_a_batch_reads_stays(tmp_path: Path) -> None:
    async with serving(tmp_path, hold) as (api, upstream):
        batch = await api.run(lines(1))
        exchange = await upstream.arrived(1)
        path = f"/files/{batch['input_file_id']}"
        assert (await api.ask("DELETE", path))[0] == 409
        exchange.answer(echo(exchange.arrival))
        await api.until(batch, "completed")
        assert (await api.ask("DELETE", path))[0] == 200


async def test_must_pass_8_a_large_file_passes_through_in_little_memory(tmp_path: Path) -> None:
    size = 200_000_000

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(size // 100_000):
            yield b"x" * 100_000

    def peak(gateway: Gateway) -> int:
        status = Path(f"/proc/{gateway.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) << 10

    async with serving(tmp_path, hold) as (api, _):
        await api.upload(b"{}")
        idle = peak(api.gateway)
        status, file = await api.upload(pieces(), "user_data", "large.bin")
        assert (status, file["bytes"]) == (200, size)
        digest = hashlib.sha256(await api.content(file["id"])).hexdigest()
        assert digest == hashlib.sha256(b"x" * size).hexdigest()
        assert peak(api.gateway) - idle < 64 << 20


async def test_must_pass_9_one_key_sees_nothing_of_another(tmp_path: Path) -> None:
    async with serving(tmp_path, echo) as (ann, upstream), Api(ann.gateway, "sk-bob") as bob, Api(ann.gateway, "sk-eve") as eve:
        batch = await ann.until(await ann.run(lines(1)), "completed")
        mine = batch["input_file_id"]
        for method, path in (
            ("GET", f"/files/{mine}"),
            ("GET", f"/files/{mine}/content"),
            ("DELETE", f"/files/{mine}"),
            ("GET", f"/batches/{batch['id']}"),
            ("POST", f"/batches/{batch['id']}/cancel"),
        ):
            nothing = path.replace(mine, "file-" + "0" * 32).replace(batch["id"], "batch_" + "0" * 32)
            assert await bob.ask(method, path) == await bob.ask(method, nothing)
            assert (await bob.ask(method, path))[0] == 404
            status, refused = await eve.ask(method, path)
            assert (status, refused["error"]["code"]) == (401, "invalid_api_key")
        assert (await bob.ask("GET", "/files"))[1]["data"] == []
        assert (await bob.ask("GET", "/batches"))[1]["data"] == []
        assert (await bob.ask("GET", f"/files?after={mine}"))[1]["data"] == []
        sent = len(upstream.arrivals)
        failed = await bob.until(await bob.create(mine), "failed")
        assert failed["errors"]["data"][0]["param"] == "file_id"
        assert len(upstream.arrivals) == sent
