"""Callbacks from the store to a receiver that is a process of its own and checks the signatures."""

import asyncio
import base64
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.callbacks.guard import Guard
from gateway.callbacks.posting import CallbackPoster
from gateway.config.jobs import CallbackSettings, ClientSettings
from gateway.jsontext import load
from tests.support.callbacks import JOB_ID, allow_loopback, calling
from tests.support.webhook_receiver import Receiver, receiving

SECRET, OTHER = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"s", b"o"))
RESULTS = ('{"asyncId":"' + JOB_ID + '","results":[{"response":"ö"}]}').encode()
CERTIFICATES = Path(__file__).parents[1] / "support" / "certificates"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(SECRET) as receiver:
        yield receiver


async def test_the_receiver_gets_the_results_and_can_verify_them(tmp_path: Path, receiver: Receiver) -> None:
    async with calling(tmp_path, allow_loopback(receiver.port, (SECRET,))) as caller:
        await caller.end_job(receiver.url("/hook"), RESULTS)
        delivery = await caller.attempted()
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("delivered", 1, 200)
    (call,) = receiver.calls
    assert (call.path, call.body.encode(), call.verified) == ("/hook", RESULTS, True)
    assert call.headers["webhook-id"] == f"msg_{JOB_ID}"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["user-agent"].startswith("batch-gateway/")


async def test_it_is_tried_again_with_the_same_id_and_body_until_somebody_takes_it(tmp_path: Path, receiver: Receiver) -> None:
    async with calling(tmp_path, allow_loopback(receiver.port, (SECRET,))) as caller:
        await caller.end_job(receiver.url("/hook", "500", "301", "close", "204"), RESULTS)
        delivery = await caller.over()
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("delivered", 4, 204)
    seen = {(call.path, call.headers["webhook-id"], call.body, call.verified) for call in receiver.calls}
    assert seen == {("/hook", f"msg_{JOB_ID}", RESULTS.decode(), True)}
    assert len(receiver.calls) == 4
    assert not any("cookie" in call.headers for call in receiver.calls)


async def test_what_nobody_takes_is_kept_and_delivered_when_somebody_asks(tmp_path: Path, receiver: Receiver) -> None:
    async with calling(tmp_path, allow_loopback(receiver.port, (SECRET,))) as caller:
        await caller.end_job(receiver.url("/hook", "500", "500", "500", "500", "200"), RESULTS)
        dead = await caller.over()
        assert (dead.state, dead.attempts, dead.last_error) == ("dead", 4, "the receiver answered 500")
        await caller.deliveries.redeliver(JOB_ID)
        assert (await caller.over()).state == "delivered"
    assert len({(call.headers["webhook-id"], call.body) for call in receiver.calls}) == 1


async def test_a_delivery_that_was_taken_can_be_made_again(tmp_path: Path, receiver: Receiver) -> None:
    async with calling(tmp_path, allow_loopback(receiver.port, (SECRET,))) as caller:
        await caller.end_job(receiver.url("/hook"), RESULTS)
        await caller.over()
        await caller.deliveries.redeliver(JOB_ID)
        await caller.over()
    first, second = receiver.calls
    assert (first.headers["webhook-id"], first.body, first.verified) == (second.headers["webhook-id"], second.body, True)


@pytest.mark.parametrize("secrets", [(SECRET, OTHER), (OTHER, SECRET)], ids=["the new one", "the old one"])
async def test_during_a_change_of_secrets_both_are_good(tmp_path: Path, receiver: Receiver, secrets: tuple[str, str]) -> None:
    async with calling(tmp_path, allow_loopback(receiver.port, secrets)) as caller:
        await caller.end_job(receiver.url("/hook"), RESULTS)
        await caller.over()
    assert receiver.calls[0].verified
    assert len(receiver.calls[0].headers["webhook-signature"].split(" ")) == 2


async def test_a_secret_the_receiver_does_not_have_is_not_good(tmp_path: Path, receiver: Receiver) -> None:
    async with calling(tmp_path, allow_loopback(receiver.port, (OTHER,))) as caller:
        await caller.end_job(receiver.url("/hook"), RESULTS)
        await caller.over()
    assert not receiver.calls[0].verified


async def test_a_client_may_have_secrets_of_its_own(tmp_path: Path, receiver: Receiver) -> None:
    clients = {"shop": ClientSettings(callback_secrets=(SECRET,)), "bank": ClientSettings()}
    async with calling(tmp_path, allow_loopback(receiver.port, (OTHER,)), clients) as caller:
        await caller.end_job(receiver.url("/shop"), RESULTS)
        await caller.end_job(receiver.url("/bank"), RESULTS, "1" * 32, tenant="bank")
        await caller.over()
        await caller.over()
    assert {call.path: call.verified for call in receiver.calls} == {"/shop": True, "/bank": False}


async def test_without_a_secret_it_is_sent_all_the_same(tmp_path: Path, receiver: Receiver) -> None:
    async with calling(tmp_path, allow_loopback(receiver.port, ())) as caller:
        await caller.end_job(receiver.url("/hook"), RESULTS)
        await caller.over()
    headers = receiver.calls[0].headers
    assert [name for name in headers if name.startswith("webhook-")] == ["webhook-id", "webhook-timestamp"]


async def test_results_that_are_too_large_are_pointed_at(tmp_path: Path, receiver: Receiver) -> None:
    async with calling(tmp_path, allow_loopback(receiver.port, (SECRET,), longest=1024)) as caller:
        await caller.end_job(receiver.url("/hook"), b'{"asyncId":"","results":["' + b"x" * 1024 + b'"]}')
        await caller.over()
    assert load(receiver.calls[0].body.encode()) == {"asyncId": JOB_ID, "resultsUrl": f"/jobs/{JOB_ID}/results"}
    assert receiver.calls[0].verified


@pytest.mark.parametrize("known", [True, False])
async def test_a_receiver_must_show_a_certificate_that_somebody_vouches_for(known: bool) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 204 \r\n\r\n")
        writer.close()

    certificate = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.load_cert_chain(CERTIFICATES / "server.pem")
    trust = ssl.create_default_context(cafile=CERTIFICATES / "ca.pem") if known else None
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=certificate)
    port = server.sockets[0].getsockname()[1]
    settings = CallbackSettings.model_validate({"ports": [port], "allow": ["127.0.0.1"]})
    poster = CallbackPoster(settings, {}, Guard(settings), time.time, trust)
    async with server:
        posted = await poster.post(f"https://127.0.0.1:{port}/", "msg_1", "shop", b"{}")
    await poster.close()
    assert posted.status == (204 if known else None)
    assert ("certificate verify failed" in posted.error) is not known
