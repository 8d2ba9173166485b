"""Several workers behind one port: real processes, and what operators and clients see when they live, die and end."""

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.process import Gateway, running_gateway, start_process, write_config
from tests.support.upstream import ScriptedUpstream, respond_json

BATCH = {"requests": [{"name": "user", "path": "/users/42"}]}


def config(upstream: str, **server: Any) -> dict[str, Any]:
    return {"upstreams": {"users": {"url": upstream, "routes": ["/users"]}}, "server": server}


async def send(gateway: Gateway, batch: dict[str, Any] = BATCH) -> tuple[int, dict[str, Any]]:
    """On a connection of its own, so that any worker may get it."""
    async with aiohttp.ClientSession() as session, session.post(f"{gateway.url}/batch", json=batch) as response:
        return response.status, await response.json()


async def reach_all(gateway: Gateway, workers: int = 2) -> int:
    """Send batches until every worker has answered one; how many that took."""
    sent = 0
    while {line["worker"] for line in gateway.events("batch")} != set(range(workers)):
        assert (await send(gateway))[0] == 200
        sent += 1
        await gateway.wait_for("batch", sent)
    return sent


async def read(gateway: Gateway, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(gateway.admin_url + path) as response:
        return response.status, await response.text()


async def read_metric(gateway: Gateway, series: str) -> float:
    _, text = await read(gateway, "/metrics")
    (line,) = (line for line in text.splitlines() if line.startswith(f"{series} "))
    return float(line.rpartition(" ")[2])


async def wait_until_ready(gateway: Gateway) -> None:
    async with asyncio.timeout(20):
        while (await read(gateway, "/readyz"))[0] != 200:
            pass


def pid_of(gateway: Gateway, worker: int) -> int:
    return int([line["pid"] for line in gateway.events("worker-started") if line["worker"] == worker][-1])


async def test_all_workers_serve_one_port_and_one_scrape_shows_them_all() -> None:
    async with (
        ScriptedUpstream(lambda _: respond_json({"id": 42})) as upstream,
        running_gateway(config(upstream.url), workers=2) as gateway,
    ):
        sent = await reach_all(gateway)
        _, text = await read(gateway, "/metrics")
        for series, value in {
            'gateway_http_requests_total{code="200",method="POST",route="/batch"}': sent,
            'gateway_http_request_duration_seconds_count{route="/batch"}': sent,
            "gateway_batch_operations_sum": sent,
            'gateway_upstream_requests_total{code="200",upstream="users"}': sent,
            'gateway_worker_up{worker="0"}': 1,
            'gateway_worker_up{worker="1"}': 1,
        }.items():
            assert f"{series} {float(value)}" in text.splitlines()
        assert text.count("gateway_build_info{") == 1
        assert gateway.events("listening")[0]["workers"] == 2


async def test_readiness_names_every_worker() -> None:
    async with running_gateway(config("http://127.0.0.1:1"), workers=2) as gateway:
        states = [
            "not-draining",
            *(f"worker-{i} {name}" for i in (0, 1) for name in ("listening", "not-draining", "not-overloaded")),
        ]
        assert await read(gateway, "/readyz?verbose") == (200, "".join(f"[+] {state}\n" for state in states) + "ok\n")
        assert await read(gateway, "/livez?verbose") == (
            200,
            "[+] event-loop\n[+] worker-0 answers\n[+] worker-1 answers\nok\n",
        )
        assert await read(gateway, "/startupz") == (200, "ok\n")


async def test_a_killed_worker_is_told_of_and_replaced_and_no_counter_falls() -> None:
    async with (
        ScriptedUpstream(lambda _: respond_json({"id": 42})) as upstream,
        running_gateway(config(upstream.url), workers=2) as gateway,
    ):
        sent = await reach_all(gateway)
        assert await read_metric(gateway, "gateway_batch_operations_count") == sent
        pid = pid_of(gateway, 1)
        os.kill(pid, signal.SIGKILL)
        ended = await gateway.wait_for("worker-ended")
        assert (ended["level"], ended["worker"], ended["pid"], ended["signal"]) == ("error", 1, pid, "SIGKILL")
        assert await read_metric(gateway, "gateway_batch_operations_count") == sent
        await gateway.wait_for("worker-started", 3)
        await wait_until_ready(gateway)
        assert await read_metric(gateway, 'gateway_worker_restarts_total{worker="1"}') == 1
        assert pid_of(gateway, 1) != pid
        while [line["worker"] for line in gateway.events("batch")][sent:].count(1) == 0:
            assert (await send(gateway))[0] == 200
        count = len(gateway.events("batch"))
        assert await read_metric(gateway, "gateway_batch_operations_count") >= count
    assert await gateway.exit_status() == 0


async def test_a_worker_that_is_stuck_is_shown_and_holds_up_no_scrape() -> None:
    async with running_gateway(config("http://127.0.0.1:1"), workers=2) as gateway:
        pid = pid_of(gateway, 0)
        os.kill(pid, signal.SIGSTOP)
        try:
            status, text = await read(gateway, "/readyz")
            assert (status, text) == (503, "[-] worker-0 answers\nnot ok\n")
            assert (await read(gateway, "/livez"))[0] == 503
            assert await read_metric(gateway, 'gateway_worker_up{worker="0"}') == 0
            assert await read_metric(gateway, 'gateway_worker_up{worker="1"}') == 1
        finally:
            os.kill(pid, signal.SIGCONT)
        await wait_until_ready(gateway)
        assert await read_metric(gateway, 'gateway_worker_up{worker="0"}') == 1


async def test_one_drain_ends_all_and_batches_in_flight_finish() -> None:
    async with (
        ScriptedUpstream() as upstream,
        running_gateway(config(upstream.url, drain_delay=0.5), workers=2) as gateway,
    ):
        batch = asyncio.create_task(send(gateway))
        arrival = await upstream.arrived(1)
        for worker in (0, 1):  # an init system may tell everybody: that is not theirs to hear
            os.kill(pid_of(gateway, worker), signal.SIGTERM)
        gateway.signal(signal.SIGTERM)
        await gateway.wait_for("draining", 1)
        status, text = await read(gateway, "/readyz")
        assert (status, text.splitlines()[0]) == (503, "[-] not-draining")
        later = asyncio.create_task(send(gateway))  # is still taken: the drain delay has just begun
        await upstream.arrived(2)
        await gateway.wait_for("stopped-listening", 2)
        with pytest.raises(aiohttp.ClientConnectorError):
            await send(gateway)
        arrival.answer(respond_json({"id": 42}))
        (await upstream.arrived(2)).answer(respond_json({"id": 42}))
        assert [(await one)[0] for one in (batch, later)] == [200, 200]
        assert await gateway.exit_status() == 0
        assert gateway.errors == []
        ended = [(line["worker"], line["status"]) for line in gateway.events("worker-ended")]
        assert sorted(ended) == [(0, 0), (1, 0)]
        assert gateway.lines[-1]["event"] == "stopped"
        assert "worker" not in gateway.lines[-1]


async def test_second_signal_ends_all_at_once() -> None:
    async with ScriptedUpstream() as upstream, running_gateway(config(upstream.url), workers=2) as gateway:
        batch = asyncio.create_task(send(gateway))
        await upstream.arrived(1)
        gateway.signal(signal.SIGTERM)
        await gateway.wait_for("stopped-listening", 2)
        gateway.signal(signal.SIGTERM)
        assert await gateway.exit_status() == 1
        with pytest.raises(aiohttp.ClientError):
            await batch
        assert gateway.errors == []


async def test_a_stuck_worker_does_not_survive_the_second_signal() -> None:
    async with running_gateway(config("http://127.0.0.1:1"), workers=2) as gateway:
        os.kill(pid_of(gateway, 0), signal.SIGSTOP)
        gateway.signal(signal.SIGTERM)
        await gateway.wait_for("draining")
        gateway.signal(signal.SIGTERM)
        assert await gateway.exit_status() == 1
        assert (await gateway.wait_for("worker-ended", match=lambda line: line["worker"] == 0))["signal"] == "SIGKILL"


async def test_workers_whose_supervisor_dies_finish_and_end() -> None:
    async with ScriptedUpstream() as upstream, running_gateway(config(upstream.url), workers=2) as gateway:
        batch = asyncio.create_task(send(gateway))
        arrival = await upstream.arrived(1)
        gateway.signal(signal.SIGKILL)
        await gateway.wait_for("supervisor-gone", 2)
        await gateway.wait_for("stopped-listening", 2)
        arrival.answer(respond_json({"id": 42}))
        assert (await batch)[0] == 200
        assert await gateway.exit_status() == -signal.SIGKILL
        assert {line["worker"] for line in gateway.events("stopped")} == {0, 1}


async def test_sigterm_under_load_fails_nothing_that_was_accepted() -> None:
    async with (
        ScriptedUpstream(lambda _: respond_json({"id": 42})) as upstream,
        running_gateway(config(upstream.url, drain_delay=0.3), workers=2) as gateway,
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
                        return

        async with asyncio.TaskGroup() as clients:
            for _ in range(8):
                clients.create_task(load())
            await gateway.wait_for("batch", 50)
            gateway.signal(signal.SIGTERM)
        assert await gateway.exit_status() == 0
        assert set(statuses) == {200}
        assert len(statuses) == len(gateway.events("batch"))


async def test_no_line_is_torn_when_all_workers_write_a_lot() -> None:
    operations = [{"name": f"operation-{number}-{'x' * 100}", "path": "/users/42"} for number in range(50)]
    async with running_gateway(config("http://127.0.0.1:1"), workers=2) as gateway:
        answers = await asyncio.gather(*(send(gateway, {"requests": operations}) for _ in range(40)))
        assert {status for status, _ in answers} == {207}
        await gateway.wait_for("operation-failed", 40 * 50)
        assert {line["worker"] for line in gateway.events("operation-failed")} == {0, 1}
        assert gateway.events("not-json") == []


async def test_another_gateway_on_the_port_is_found_although_the_port_could_be_shared(tmp_path: Path) -> None:
    async with running_gateway(config("http://127.0.0.1:1"), workers=2) as first:
        port = int(first.url.rpartition(":")[2])
        path = write_config(tmp_path, config("http://127.0.0.1:1", port=port))
        second = await start_process("serve", "--config", path, "--workers", "2")
        assert await second.exit_status() == 1
        why = "the port is in use: stop what listens there, or set server.port to another"
        assert second.errors == [f"gateway: cannot listen on 127.0.0.1:{port}: {why}"]


async def test_admin_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        path = write_config(tmp_path, config("http://127.0.0.1:1") | {"admin": {"port": port}})
        gateway = await start_process("serve", "--config", path, "--workers", "2")
        assert await gateway.exit_status() == 1
    why = "the port is in use: stop what listens there, or set admin.port to another"
    assert gateway.errors == [f"gateway: cannot listen on 127.0.0.1:{port}: {why}"]


async def test_what_no_worker_can_use_is_one_line(tmp_path: Path) -> None:
    upstream = {"url": "https://127.0.0.1:1", "routes": ["/users"], "tls": {"ca": "/nonexistent/ca.pem"}}
    path = write_config(tmp_path, {"upstreams": {"users": upstream}})
    gateway = await start_process("serve", "--config", path, "--workers", "3")
    assert await gateway.exit_status() == 1
    assert len(gateway.errors) == 1
    assert "ca.pem" in gateway.errors[0]
