"""How the real process starts, ends and is told things: signals, exit statuses, and what clients see of them."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.process import Gateway, running_gateway, start_process, write_config
from tests.support.upstream import ScriptedUpstream, respond_json

BATCH = {"requests": [{"name": "user", "path": "/users/42"}]}


def config(upstream: ScriptedUpstream, **server: Any) -> dict[str, Any]:
    return {"upstreams": {"users": {"url": upstream.url, "routes": ["/users"]}}, "server": server}


@asynccontextmanager
async def held_batch(gateway: Gateway, upstream: ScriptedUpstream) -> "AsyncIterator[asyncio.Task[tuple[int, dict[str, Any]]]]":
    """A batch in flight: its request has arrived at the upstream, which holds it."""
    task = asyncio.create_task(send(gateway))
    await upstream.arrived(1)
    yield task
    await asyncio.gather(task, return_exceptions=True)


async def send(gateway: Gateway) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.post(f"{gateway.url}/batch", json=BATCH) as response:
        return response.status, await response.json()


async def ask_admin(gateway: Gateway, path: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(gateway.admin_url + path) as response:
        return response.status


async def test_draining_gateway_is_not_ready_and_still_serves_new_connections() -> None:
    async with (
        ScriptedUpstream(lambda _: respond_json({"id": 42})) as upstream,
        running_gateway(config(upstream, drain_delay=60)) as gateway,
    ):
        assert await ask_admin(gateway, "/readyz") == 200
        gateway.signal(signal.SIGTERM)
        await gateway.wait_for("draining")
        assert (await ask_admin(gateway, "/readyz"), await ask_admin(gateway, "/livez")) == (503, 200)
        async with aiohttp.ClientSession() as session, session.post(f"{gateway.url}/batch", json=BATCH) as response:
            assert (response.status, response.headers["connection"]) == (200, "close")
        gateway.signal(signal.SIGTERM)
        assert await gateway.exit_status() == 1


async def test_batch_in_flight_finishes_and_the_process_ends_with_0() -> None:
    async with ScriptedUpstream() as upstream, running_gateway(config(upstream)) as gateway:
        async with held_batch(gateway, upstream) as batch:
            gateway.signal(signal.SIGTERM)
            await gateway.wait_for("stopped-listening")
            with pytest.raises(aiohttp.ClientConnectorError):
                await send(gateway)
            (await upstream.arrived(1)).answer(respond_json({"id": 42}))
            status, body = await batch
        assert (status, body["responses"][0]["body"]) == (200, {"id": 42})
        assert await gateway.exit_status() == 0
        assert [line["event"] for line in gateway.lines if line["event"] != "batch"] == [
            "listening",
            "signal",
            "draining",
            "stopped-listening",
            "stopped",
        ]
        assert gateway.errors == []


async def test_batch_that_takes_too_long_is_answered_with_what_there_is() -> None:
    async with ScriptedUpstream() as upstream, running_gateway(config(upstream, shutdown_timeout=0.05)) as gateway:
        async with held_batch(gateway, upstream) as batch:
            gateway.signal(signal.SIGTERM)
            status, body = await batch
        assert (status, body["responses"][0]["status"]) == (207, 503)
        assert body["responses"][0]["error"]["reason"] == "shutting-down"
        assert await gateway.exit_status() == 0


async def test_second_signal_ends_it_at_once() -> None:
    async with ScriptedUpstream() as upstream, running_gateway(config(upstream)) as gateway:
        async with held_batch(gateway, upstream) as batch:
            gateway.signal(signal.SIGTERM)
            await gateway.wait_for("stopped-listening")
            gateway.signal(signal.SIGINT)
            assert await gateway.exit_status() == 1
            with pytest.raises(aiohttp.ClientError):
                await batch
        assert gateway.errors == []


async def test_sighup_says_that_a_reload_needs_a_restart_and_ends_nothing() -> None:
    async with (
        ScriptedUpstream(lambda _: respond_json({})) as upstream,
        running_gateway(config(upstream)) as gateway,
    ):
        gateway.signal(signal.SIGHUP)
        line = await gateway.wait_for("signal")
        assert (line["name"], line["level"]) == ("SIGHUP", "warning")
        assert (await send(gateway))[0] == 200


async def test_sigterm_under_load_fails_nothing_that_was_accepted() -> None:
    async with (
        ScriptedUpstream(lambda _: respond_json({"id": 42})) as upstream,
        running_gateway(config(upstream, drain_delay=0.3)) as gateway,
    ):
        statuses: list[int] = []

        async def load() -> None:
            async with aiohttp.ClientSession() as session:
                while True:
                    try:
                        async with session.post(f"{gateway.url}/batch", json=BATCH) as response:
                            await response.read()
                            statuses.append(response.status)
                    except aiohttp.ClientConnectorError:
                        return  # it has stopped listening

        async with asyncio.TaskGroup() as clients:
            for _ in range(8):
                clients.create_task(load())
            await gateway.wait_for("batch", 50)
            gateway.signal(signal.SIGTERM)
        assert await gateway.exit_status() == 0
        assert set(statuses) == {200}
        assert len(statuses) == len(gateway.events("batch"))


@pytest.mark.parametrize("section", ["server", "admin"])
async def test_port_in_use_is_one_line_that_says_what_to_do(section: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = {"upstreams": {"users": {"url": "http://127.0.0.1:1", "routes": ["/users"]}}, section: {"port": port}}
        gateway = await start_process("serve", "--config", write_config(tmp_path, settings))
        assert await gateway.exit_status() == 1
    why = f"the port is in use: stop what listens there, or set {section}.port to another"
    assert gateway.errors == [f"gateway: cannot listen on 127.0.0.1:{port}: {why}"]


async def test_bad_configuration_ends_it_with_every_problem(tmp_path: Path) -> None:
    settings = {"upstreams": {"users": {"url": "nonsense", "routes": ["/users"]}}, "nonsense": 1}
    gateway = await start_process("serve", "--config", write_config(tmp_path, settings))
    assert await gateway.exit_status() == 1
    assert len(gateway.errors) == 2
    assert all("gateway.yaml:1:" in line for line in gateway.errors)


async def test_missing_certificate_ends_it_with_one_line(tmp_path: Path) -> None:
    upstream = {"url": "https://127.0.0.1:1", "routes": ["/users"], "tls": {"ca": "/nonexistent/ca.pem"}}
    gateway = await start_process("serve", "--config", write_config(tmp_path, {"upstreams": {"users": upstream}}))
    assert await gateway.exit_status() == 1
    assert len(gateway.errors) == 1
    assert "ca.pem" in gateway.errors[0]
