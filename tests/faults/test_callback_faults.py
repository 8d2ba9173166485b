"""Receivers of callbacks that are broken, hostile or not where they should be, and a gateway that is killed.

Rows H9, H10, H12 and S25 of the fault table.
"""

import asyncio
import base64
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.callbacks.guard import Guard
from gateway.callbacks.posting import CallbackPoster
from gateway.config.jobs import CallbackSettings
from gateway.jobs.ending.delivery import Posted
from tests.support.callbacks import JOB_ID, allow_loopback, calling
from tests.support.webhook_receiver import PATIENCE, Receiver, receiving

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
RESULTS = b'{"asyncId":"' + JOB_ID.encode() + b'","results":[]}'


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(SECRET) as receiver:
        yield receiver


@asynccontextmanager
async def posting(port: int, **more: Any) -> AsyncIterator[CallbackPoster]:
    """A poster that may use http and this port, and no address that is not public."""
    settings = CallbackSettings.model_validate({"https_only": False, "ports": [port]} | more)
    poster = CallbackPoster(settings, {}, Guard(settings), time.time)
    yield poster
    await poster.close()


# ---- H9, S25: where it goes ----


async def test_a_name_that_was_public_when_the_job_was_taken_and_leads_home_now_is_not_connected_to(
    receiver: Receiver,
) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["93.184.215.14"]

    url = receiver.url("/hook").replace("127.0.0.1", "localhost")
    settings = CallbackSettings.model_validate({"https_only": False, "ports": [receiver.port]})
    await Guard(settings, resolve).check_callback(url)
    async with posting(receiver.port) as poster:
        posted = await poster.post(url, "msg_1", "shop", b"{}")
    assert posted.status is None
    assert "callbacks must not go to" in posted.error
    assert receiver.calls == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "①②⑦.0.0.1"],
)
async def test_no_spelling_of_an_address_leads_home(receiver: Receiver, host: str) -> None:
    url = receiver.url("/hook").replace("127.0.0.1", host)
    async with posting(receiver.port) as poster:
        posted = await poster.post(url, "msg_1", "shop", b"{}")
    assert posted.status is None
    assert posted.error.startswith("the callback URL is not allowed: ")
    assert receiver.calls == []


async def test_settings_that_became_stricter_hold_for_what_is_pending(tmp_path: Path, receiver: Receiver) -> None:
    async with calling(tmp_path, allow_loopback(receiver.port, (SECRET,), https_only=True)) as caller:
        await caller.end_job(receiver.url("/hook"), RESULTS)
        delivery = await caller.over()
    assert (delivery.state, delivery.last_error) == ("dead", "the callback URL is not allowed: it must begin with https://")
    assert receiver.calls == []


# ---- H10: what the receiver does ----

BAD_RECEIVERS = {
    "500": Posted(500, "the receiver answered 500"),
    "301": Posted(301, "the receiver answered 301"),
    "hang": Posted(None, "the receiver did not answer in time"),
    "drip": Posted(None, "the receiver did not answer in time"),
    "close": Posted(None, "Server disconnected"),
}


@pytest.mark.parametrize("what", BAD_RECEIVERS)
async def test_whatever_a_receiver_does_costs_an_attempt_and_loses_nothing(
    tmp_path: Path, receiver: Receiver, what: str
) -> None:
    settings = allow_loopback(receiver.port, (SECRET,), timeout=0.5, retries=[3600])
    async with calling(tmp_path, settings) as caller:
        job = await caller.end_job(receiver.url("/hook", what), RESULTS)
        delivery = await caller.attempted()
        assert delivery.state == "pending"
        assert delivery.due > time.time() + 3000
        assert Posted(delivery.last_status, delivery.last_error) == BAD_RECEIVERS[what]
        assert await caller.storage.files.read(job.results or "") == RESULTS
    assert [call.path for call in receiver.calls] == ["/hook"]


async def test_a_receiver_that_wants_no_more_is_not_called_again(tmp_path: Path, receiver: Receiver) -> None:
    async with calling(tmp_path, allow_loopback(receiver.port, (SECRET,))) as caller:
        job = await caller.end_job(receiver.url("/hook", "410", "200"), RESULTS)
        delivery = await caller.attempted()
        assert (delivery.state, delivery.attempts, delivery.last_status) == ("dead", 1, 410)
        assert await caller.storage.files.read(job.results or "") == RESULTS


async def test_a_receiver_may_ask_for_time(tmp_path: Path, receiver: Receiver) -> None:
    async with calling(tmp_path, allow_loopback(receiver.port, (SECRET,))) as caller:
        await caller.end_job(receiver.url("/hook", "429-120"), RESULTS)
        delivery = await caller.attempted()
    assert delivery.state == "pending"
    assert time.time() + 60 < delivery.due <= time.time() + 120


async def test_a_bomb_is_read_for_64_kib_and_no_further(tmp_path: Path, receiver: Receiver) -> None:
    async with calling(tmp_path, allow_loopback(receiver.port, (SECRET,))) as caller:
        await caller.end_job(receiver.url("/hook", "bomb"), RESULTS)
        assert (await caller.attempted()).state == "delivered"
        # What was written beyond it lies in the buffers of two sockets.
        assert await receiver.bomb() < 16 << 20


async def test_a_receiver_that_has_said_2xx_may_drip_what_else_it_has_to_say(tmp_path: Path, receiver: Receiver) -> None:
    async with calling(tmp_path, allow_loopback(receiver.port, (SECRET,), timeout=0.5)) as caller:
        await caller.end_job(receiver.url("/hook", "drip-body"), RESULTS)
        assert (await caller.attempted()).state == "delivered"


async def test_receivers_that_hang_keep_nobody_else_waiting(tmp_path: Path, receiver: Receiver) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 204 \r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = allow_loopback(receiver.port, (SECRET,), ports=[receiver.port, port], timeout=PATIENCE, concurrency=1)
    async with server, calling(tmp_path, settings) as caller:
        for number in range(20):
            await caller.end_job(receiver.url("/hook", "hang"), RESULTS, f"{number:032x}")
        await receiver.call(0)
        await caller.end_job(f"http://127.0.0.1:{port}/", RESULTS)
        assert (await caller.attempted()).job == JOB_ID
    assert len(receiver.calls) == 1


# ---- H12: the gateway is killed ----


async def test_a_gateway_killed_between_sending_and_noting_it_sends_again_under_the_same_id(
    tmp_path: Path, receiver: Receiver
) -> None:
    settings = allow_loopback(receiver.port, (SECRET,))
    async with calling(tmp_path, settings | {"retries": [0.05]}) as caller:
        await caller.end_job(receiver.url("/hook", "500", "hang", "200"), RESULTS)
        assert (await caller.attempted()).state == "pending"
    command = (sys.executable, "-m", "tests.support.callbacks", str(tmp_path), json.dumps(settings))
    killed = await asyncio.create_subprocess_exec(*command)
    await receiver.call(1)
    killed.kill()
    await killed.wait()
    async with calling(tmp_path, settings) as caller:
        delivery = await caller.over()
    assert (delivery.state, delivery.last_status) == ("delivered", 200)
    seen = {(call.headers["webhook-id"], call.body, call.verified) for call in receiver.calls}
    assert seen == {(f"msg_{JOB_ID}", RESULTS.decode(), True)}
    assert len(receiver.calls) == 3
