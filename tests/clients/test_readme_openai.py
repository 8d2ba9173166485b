"""The README's program for OpenAI's client runs as it stands there, and prints what the README says."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from gateway.commands.demo.services import make_models
from tests.support.process import ROOT, Gateway, running_gateway

PYTHON = ROOT / ".venv-clients" / "bin" / "python"
README = (ROOT / "README.md").read_text()
SECTION = README.partition("### Files of requests\n")[2].partition("\n### ")[0]
PROGRAM, PRINTED = re.findall(r"```(?:python)?\n(.*?)```", SECTION, re.DOTALL)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    runner = web.AppRunner(make_models())
    await runner.setup()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        await web.SockSite(runner, listener.dup()).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    upstream = {"url": url, "routes": [{"path": "/v1/chat/completions", "file_batches": True}]}
    jobs = {"enabled": True, "auth": "none", "data": str(tmp_path / "data")}
    async with running_gateway({"upstreams": {"models": upstream}, "jobs": jobs}) as running:
        yield running
    await runner.cleanup()


async def test_the_program_prints_what_the_readme_says(gateway: Gateway) -> None:
    assert PROGRAM.count("http://127.0.0.1:8080") == 1
    program = PROGRAM.replace("http://127.0.0.1:8080", gateway.url)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(PYTHON, "-c", program, stdout=pipe, stderr=pipe)
    printed, complaints = await process.communicate()
    assert (printed.decode(), complaints.decode(), process.returncode) == (PRINTED, "", 0)
