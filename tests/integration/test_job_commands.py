"""`gateway jobs` against a real gateway."""

import asyncio
import hashlib
import json
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.commands import main
from gateway.config.load import load_bytes
from tests.support.process import ROOT, Gateway, running_gateway
from tests.support.upstream import ScriptedUpstream, refused_port, respond_json


@asynccontextmanager
async def gateway_with_jobs(upstream: ScriptedUpstream, folder: Path, enabled: bool = True) -> AsyncIterator[Gateway]:
    jobs = {"enabled": enabled, "data": str(folder), "auth": "none"}
    config = {"upstreams": {"users": {"url": upstream.url, "routes": ["/users"]}}, "jobs": jobs}
    async with running_gateway(config) as gateway:
        yield gateway


async def submit(gateway: Gateway, *paths: str) -> str:
    batch = {"requests": [{"path": path} for path in paths]}
    headers = {"prefer": "respond-async"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{gateway.url}/batch", json=batch, headers=headers) as response,
    ):
        return str((await response.json())["id"])


async def run(gateway: Gateway, *arguments: str) -> int:
    return await asyncio.to_thread(main, ["jobs", *arguments, "--admin", gateway.admin_url])


async def test_an_operator_sees_a_job_ends_it_and_takes_its_results(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with ScriptedUpstream() as upstream, gateway_with_jobs(upstream, tmp_path) as gateway:
        job = await submit(gateway, "/users/1")
        await upstream.arrived(1)
        assert await run(gateway, "list", "--state", "in_progress", "--kind", "native") == 0
        listed = capsys.readouterr().out.splitlines()
        assert await run(gateway, "results", job) == 1
        early = capsys.readouterr()
        assert await run(gateway, "cancel", job) == 0
        assert await run(gateway, "show", job, "--follow") == 1
        shown = capsys.readouterr().out
        assert await run(gateway, "results", job, "--output", str(tmp_path / "out.jsonl")) == 0
        assert await run(gateway, "list", "--state", "in_progress") == 0
        last = capsys.readouterr().out.splitlines()[-1]
        assert await run(gateway, "cancel", job) == 0
        assert await run(gateway, "callbacks") == 0
        assert await run(gateway, "redeliver", job) == 1
        assert "there is no callback" in capsys.readouterr().err
    assert [line.split()[0] for line in listed] == ["ID", job]
    assert listed[1].split()[1:] == ["in_progress", "░" * 12, "0/1", "0", "s", "everybody", "native"]
    assert (early.out, early.err) == ("", "gateway jobs results: the job is in_progress and has no results\n")
    assert f"gateway jobs results {job}" in shown
    assert "\x1b" not in shown
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 2
    assert last == "no jobs"


async def test_a_job_is_followed_until_it_has_completed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with ScriptedUpstream() as upstream, gateway_with_jobs(upstream, tmp_path) as gateway:
        job = await submit(gateway, "/users/1", "/users/2")
        exchanges = [await upstream.arrived(1), await upstream.arrived(2)]
        following = asyncio.create_task(run(gateway, "show", job, "--follow"))
        for exchange in exchanges:
            exchange.answer(respond_json({}))
        assert await following == 0
        assert await run(gateway, "show", job, "--json") == 0
        shown = capsys.readouterr().out.splitlines()
    assert json.loads(shown[-1])["counts"] == {"total": 2, "succeeded": 2, "failed": 0}
    assert f"completed  {'█' * 40}  2 of 2" in shown


async def test_what_cannot_be_done_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with ScriptedUpstream() as upstream:
        async with gateway_with_jobs(upstream, tmp_path) as gateway:
            assert await run(gateway, "show", "job_1/../x") == 1
            assert await run(gateway, "list", "--limit", "0") == 1
            assert await run(gateway, "list", "--limit", "0000000019999999999999999999") == 1
            assert await asyncio.to_thread(main, ["jobs", "list", "--admin", gateway.url]) == 1
            public = gateway.url
            assert await asyncio.to_thread(main, ["jobs", "redeliver", "--admin", gateway.url]) == 2
        async with gateway_with_jobs(upstream, tmp_path, enabled=False) as gateway:
            assert await run(gateway, "list") == 1
            admin = gateway.admin_url
        nobody = f"http://127.0.0.1:{refused_port()}"
        assert await asyncio.to_thread(main, ["jobs", "list", "--admin", nobody]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "gateway jobs show: there is no job 'job_1%2F..%2Fx'",
        "gateway jobs list: limit is a whole number from 1 to 1000",
        "gateway jobs list: limit is a whole number from 1 to 1000",
        f"gateway jobs list: {public} is not the operators' port of a gateway; --admin names another",
        "gateway jobs redeliver: say which: ids of callbacks or of jobs, or --dead",
        f"gateway jobs list: the gateway at {admin} takes no jobs: jobs.enabled is false in its configuration",
        f"gateway jobs list: no answer from {nobody}: connection refused; is a gateway running there? --admin names another",
    ]


async def test_a_web_page_cannot_end_a_job(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, gateway_with_jobs(upstream, tmp_path) as gateway:
        job = await submit(gateway, "/users/1")
        held = await upstream.arrived(1)
        async with aiohttp.ClientSession(gateway.admin_url) as session:
            async with session.post(f"/jobs/{job}/cancel", headers={"origin": "https://example.org"}) as response:
                refused = (response.status, (await response.json())["reason"])
            async with session.get(f"/jobs/{job}/cancel") as response:
                wrong = (response.status, response.headers["allow"])
            async with session.get(f"/jobs/{job}") as response:
                state = (await response.json())["state"]
        held.answer(respond_json({}))  # else its end waits for it
    assert (refused, wrong, state) == ((400, "bad-request"), (405, "POST"), "in_progress")


@pytest.mark.parametrize("action", ["show", "cancel", "results", "redeliver"])
@pytest.mark.parametrize("nothing", ["", " ", ".", ".."])
def test_what_is_no_id_is_a_mistake_of_the_command_line(action: str, nothing: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", action, nothing, "--admin", f"http://127.0.0.1:{refused_port()}"]) == 2
    told = capsys.readouterr().err.splitlines()[0]
    assert told == f"gateway jobs {action}: argument ID: must be an id, as gateway jobs list shows them, got {nothing!r}"


@pytest.mark.parametrize("action", ["list", "callbacks", "results"])
async def test_a_reader_that_leaves_ends_it_quietly_and_a_full_disk_in_one_line(tmp_path: Path, action: str) -> None:
    async with (
        ScriptedUpstream(lambda _: respond_json({})) as upstream,
        gateway_with_jobs(upstream, tmp_path) as gateway,
    ):
        job = await submit(gateway, "/users/1")
        assert await run(gateway, "show", job, "--follow") == 0
        reader, writer = os.pipe()
        os.close(reader)
        arguments = [action, *([job] if action == "results" else []), "--admin", gateway.admin_url]
        command = (sys.executable, "-m", "gateway", "jobs", *arguments)
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=writer, stderr=asyncio.subprocess.PIPE)
        os.close(writer)
        _, complaint = await process.communicate()
        assert (process.returncode, complaint) == (128 + signal.SIGPIPE, b"")
        full = os.open("/dev/full", os.O_WRONLY)
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=full, stderr=asyncio.subprocess.PIPE)
        os.close(full)
        _, of_full = await process.communicate()
        assert (process.returncode, of_full) == (1, b"gateway: cannot write standard output: No space left on device\n")


def test_a_new_key_and_its_hash_belong_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "key", "--client", "acme"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[-1] == f'keys: ["sha256:{hashlib.sha256(lines[1].encode()).hexdigest()}"]'
    assert lines[-2] == "acme:"


@pytest.mark.parametrize("name", ["acme", "no", "null", "true", "on-call_2"])
def test_the_configuration_takes_a_client_as_it_is_printed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "key", "--client", name]) == 0
    printed = textwrap.dedent(capsys.readouterr().out.partition("for the configuration:\n")[2])
    config = f"upstreams: {{users: {{url: 'http://127.0.0.1:1', routes: [/users]}}}}\n{printed}"
    assert list(load_bytes(config.encode(), "gateway.yaml", {}).clients) == [name]


@pytest.mark.parametrize("name", ["", "a b: c", "Acme", "a\n  b", "1st", "a" * 64])
def test_no_key_is_made_for_a_name_that_the_configuration_does_not_take(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "key", "--client", name]) == 2
    printed = capsys.readouterr()
    wanted = "lower-case letters, digits, - and _, at most 63, a letter first"
    assert printed.out == ""
    assert printed.err.splitlines()[0] == f"gateway jobs key: argument --client: must be {wanted}, got {name!r}"
