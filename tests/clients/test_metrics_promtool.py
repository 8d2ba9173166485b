"""Prometheus itself reads what the gateway publishes: promtool parses it and has nothing to say about names and types."""

import asyncio
import shutil

import aiohttp
import pytest

from tests.support.process import running_gateway
from tests.support.upstream import Answer, Arrival, ScriptedUpstream, respond, respond_json


def find_promtool() -> str:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.fail("promtool is missing. Debian, Ubuntu: apt-get install prometheus", pytrace=False)
    return promtool


async def check_metrics(exposition: bytes) -> tuple[int | None, str]:
    """Exit status and words of `promtool check metrics`: 0 and none when it is content, 1 unreadable, 3 bad style."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(find_promtool(), "check", "metrics", stdin=pipe, stdout=pipe, stderr=pipe)
    output, errors = await process.communicate(exposition)
    return process.returncode, (output + errors).decode()


def answer_by_path(arrival: Arrival) -> Answer:
    return respond_json({"id": 1}) if arrival.target == "/users/1" else respond(500)


async def test_promtool_accepts_the_metrics_of_a_busy_gateway() -> None:
    operations = [
        {"name": "user", "path": "/users/1"},
        {"path": "/users/${result=user:$.id}"},
        {"name": "broken", "path": "/users/2"},
        {"path": "/users/3", "dependsOn": ["broken"]},
    ]
    async with ScriptedUpstream(answer_by_path) as upstream:
        config = {"upstreams": {"users": {"url": upstream.url, "routes": ["/users"]}}}
        async with running_gateway(config) as gateway, aiohttp.ClientSession() as client:
            async with client.post(f"{gateway.url}/batch", json={"requests": operations}) as answer:
                assert answer.status == 207
            async with client.post(f"{gateway.url}/batch", data=b"{") as answer:
                assert answer.status in {400, 415}
            async with client.get(f"{gateway.admin_url}/metrics") as answer:
                exposition = await answer.read()
    assert b"gateway_operations_total{" in exposition
    assert await check_metrics(exposition) == (0, "")


async def test_promtool_rejects_what_is_not_an_exposition() -> None:
    status, words = await check_metrics(b"gateway_operations_total{ 1\n")
    assert (status, "error" in words.lower()) == (1, True)
