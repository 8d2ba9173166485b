"""Callback jobs through the real process, over real sockets, asked for as the vendor's clients ask."""

import asyncio
import hashlib
import hmac
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from tests.support.process import PATIENCE, ROOT, Gateway, running_gateway
from tests.support.upstream import Answer, Arrival, ScriptedUpstream, respond, respond_json
from tests.support.webhook_receiver import Receiver, receiving

SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PATH = "/api/1.0/batch"
NOWHERE = "https://192.0.2.1/done"
"""An address for documentation: nobody listens there, and callbacks may not even go there."""


def job(number: int, **changes: Any) -> dict[str, Any]:
    return {"namespace": "event", "action": "inviteContacts", "params": {"event": number, "contacts": [1, 2, 3]}} | changes


def config(upstream: ScriptedUpstream, folder: Path, receiver: Receiver | None = None, **jobs: Any) -> dict[str, Any]:
    callbacks: dict[str, Any] = {"secrets": [SIGNING], "timeout": "500ms", "retries": ["50ms", "100ms", "150ms"]}
    if receiver is not None:
        callbacks |= {"https_only": False, "ports": [receiver.port], "allow": ["127.0.0.1/32"]}
    else:
        callbacks |= {"allow": ["192.0.2.0/24"]}
    settings = {"enabled": True, "auth": "none", "data": str(folder / "data"), "callbacks": callbacks}
    return {
        "server": {"shutdown_timeout": "100ms"},
        "upstreams": {"ivvy": {"url": upstream.url, "routes": ["/api/1.0"]}},
        "dialects": {"ivvy": {"path": PATH}},
        "jobs": settings | jobs,
    }


async def ask(gateway: Gateway, action: str, body: Any, **headers: str) -> tuple[int, Any]:
    """Status and answer; `body` is bytes, or what is to be JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession(headers=fields) as session,
        session.post(f"{gateway.url}{PATH}?action={action}", data=content) as response,
    ):
        assert response.content_type == "application/json"
        return response.status, await response.json()


async def run(gateway: Gateway, jobs: list[Any], url: str = NOWHERE) -> str:
    status, answer = await ask(gateway, "run", {"jobs": jobs, "callbackUrl": url})
    assert (status, list(answer)) == (200, ["asyncId"]), answer
    assert len(answer["asyncId"]) == 32
    assert set(answer["asyncId"]) <= set("0123456789abcdef")
    return str(answer["asyncId"])


async def progress(gateway: Gateway, job_id: str) -> Any:
    status, answer = await ask(gateway, "progress", {"async": job_id})
    assert status == 200, answer
    return answer["progress"]


async def reaches(gateway: Gateway, job_id: str, least: int) -> list[Any]:
    """Ask for the progress until it is there; all that was answered."""
    seen = [await progress(gateway, job_id)]
    async with asyncio.timeout(PATIENCE):
        while seen[-1] < least:
            seen.append(await progress(gateway, job_id))
    return seen


async def finished(gateway: Gateway, job_id: str) -> list[Any]:
    """Its results, when they are there."""
    await reaches(gateway, job_id, 100)
    status, answer = await ask(gateway, "results", {"async": job_id})
    assert (status, list(answer), answer["asyncId"]) == (200, ["asyncId", "results"], job_id)
    found: list[Any] = answer["results"]
    return found


def codes(answered: tuple[int, Any]) -> tuple[int, int, int]:
    """HTTP status, errorCode, specificCode."""
    status, error = answered
    assert isinstance(error["message"], str)
    return status, error["errorCode"], error["specificCode"]


def event_of(arrival: Arrival) -> int:
    return int(json.loads(arrival.body)["event"])


def echo(arrival: Arrival) -> Answer:
    return respond_json({"invited": event_of(arrival)})


@pytest.mark.parametrize("is_keyed", [True, False], ids=["with Idempotency-Key", "without"])
async def test_must_pass_1_an_id_at_once_and_jobs_survive_kill_nine(tmp_path: Path, is_keyed: bool) -> None:
    def first_only(arrival: Arrival) -> Answer | None:
        return echo(arrival) if event_of(arrival) == 1 else None

    async with ScriptedUpstream(first_only) as upstream:
        settings = config(upstream, tmp_path, concurrency_per_job=1, flush={"results": 1})
        settings["upstreams"]["ivvy"]["jobs"] = {"idempotency_key": is_keyed}
        async with running_gateway(settings) as gateway:
            job_id = await run(gateway, [job(1), job(2), job(3)])
            before = (await upstream.arrived(2)).arrival
            assert (before.method, before.target) == ("POST", "/api/1.0/event?action=inviteContacts")
            await reaches(gateway, job_id, 33)
            gateway.process.kill()
            await gateway.process.wait()
        async with ScriptedUpstream(echo) as second:
            settings["upstreams"]["ivvy"]["url"] = second.url
            async with running_gateway(settings) as gateway:
                results = await finished(gateway, job_id)
            sent = [event_of(arrival) for arrival in second.arrivals]
            again = second.arrivals[0].header("idempotency-key")
    assert [entry["request"]["event"] for entry in results] == [1, 2, 3]
    if is_keyed:
        assert [entry["response"] for entry in results] == [{"invited": 1}, {"invited": 2}, {"invited": 3}]
        assert (sent, again) == ([2, 3], before.header("idempotency-key"))
        assert again == f"{job_id}:1"
    else:
        assert [entry["response"].get("invited") for entry in results] == [1, None, 3]
        assert (results[1]["response"]["errorCode"], sent) == (502, [3])


async def test_must_pass_2_what_is_refused_is_not_sent(tmp_path: Path) -> None:
    refused = [
        ({"jobs": {"0": job(1)}, "callbackUrl": NOWHERE}, 24092),
        ({"jobs": [job(1), "job"], "callbackUrl": NOWHERE}, 24092),
        ({"jobs": [{"action": "x", "params": {}}], "callbackUrl": NOWHERE}, 24092),
        ({"jobs": [{"namespace": "x", "params": {}}], "callbackUrl": NOWHERE}, 24092),
        ({"jobs": [job(1, namespace="../../admin")], "callbackUrl": NOWHERE}, 24092),
        ({"jobs": [], "callbackUrl": NOWHERE}, 24093),
        ({"jobs": [job(1, action="")], "callbackUrl": NOWHERE}, 24093),
        ({"jobs": [job(1)], "callbackUrl": ""}, 24093),
        ({"jobs": [job(1)]}, 24093),
        ({"jobs": [job(1)] * 201, "callbackUrl": NOWHERE}, 24448),
    ]
    async with ScriptedUpstream(echo) as upstream, running_gateway(config(upstream, tmp_path)) as gateway:
        for body, code in refused:
            assert codes(await ask(gateway, "run", body)) == (400, 400, code), body
        assert codes(await ask(gateway, "run", b'{"jobs":[')) == (400, 400, 400)
        assert codes(await ask(gateway, "run", b"[]")) == (400, 400, 400)
        assert codes(await ask(gateway, "stop", {})) == (404, 404, 404)
        assert upstream.arrivals == []
        assert len(await finished(gateway, await run(gateway, [job(n) for n in range(200)]))) == 200
        assert len(upstream.arrivals) == 200


async def test_must_pass_3_progress_is_monotone_and_100_at_the_end(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream() as upstream,
        running_gateway(config(upstream, tmp_path, flush={"results": 1})) as gateway,
    ):
        job_id = await run(gateway, [job(n) for n in range(4)])
        held = [await upstream.arrived(number) for number in range(1, 5)]
        seen = [await progress(gateway, job_id)]
        assert codes(await ask(gateway, "results", {"async": job_id})) == (400, 400, 24114)
        assert await ask(gateway, "run", {"async": job_id}) == (200, {"progress": 0})
        for number, exchange in enumerate(held, 1):
            exchange.answer(respond_json({}))
            seen += await reaches(gateway, job_id, 25 * number)
        assert (seen, seen[0], seen[-1]) == (sorted(seen), 0, 100)
        assert {25, 50, 75, 100} <= set(seen) <= {0, 25, 50, 75, 99, 100}
        for action, code in (("progress", 24105), ("results", 24115), ("restart", 24105), ("repost", 24105)):
            for unknown in ("0" * 32, "../../etc/passwd", "x" * 10_000):
                assert codes(await ask(gateway, action, {"async": unknown})) == (404, 404, code)


async def test_must_pass_4_results_stand_in_job_order_each_with_its_request(tmp_path: Path) -> None:
    jobs = [
        job(0),
        job(1, params={"event": 1, "big": 12345678901234567890, "text": "${result=a:$.b}", "é": [None, True, {}]}),
        job(2, namespace="contact", action="get-list"),
        job(3),
        job(4, params=[]),
    ]
    async with ScriptedUpstream() as upstream, running_gateway(config(upstream, tmp_path)) as gateway:
        job_id = await run(gateway, jobs)
        held = {}
        for number in range(1, 6):
            exchange = await upstream.arrived(number)
            held[exchange.arrival.target, exchange.arrival.body] = exchange
        answers = [
            respond_json({"n": 0}),
            respond_json({"errorCode": 400, "message": "no", "specificCode": 24000}, 400),
            respond(200, b"plain", (("Content-Type", "text/plain"),)),
            respond(503, b"later", (("Content-Type", "text/plain"),)),
            respond(204),
        ]
        for one, answer in reversed(list(zip(jobs, answers, strict=True))):
            target = f"/api/1.0/{one['namespace']}?action={one['action']}"
            held[target, json.dumps(one["params"]).encode()].answer(answer)
        results = await finished(gateway, job_id)
    assert [{key: entry[key] for key in ("namespace", "action", "request")} for entry in results] == [
        {"namespace": one["namespace"], "action": one["action"], "request": one["params"]} for one in jobs
    ]
    later = {"errorCode": 503, "message": "the service answered 503", "specificCode": 503, "additionalMessages": ["later"]}
    assert [entry["response"] for entry in results] == [
        {"n": 0},
        {"errorCode": 400, "message": "no", "specificCode": 24000},
        "plain",
        later,
        None,
    ]


async def test_must_pass_4_jobs_whose_time_is_over_keep_their_slots(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream:
        settings = config(upstream, tmp_path, concurrency_per_job=1, timeout="300ms")
        settings["upstreams"]["ivvy"]["timeout"] = "2s"  # for the first, which nobody answers
        async with running_gateway(settings) as gateway:
            results = await finished(gateway, await run(gateway, [job(1), job(2), job(3)]))
        assert [(entry["request"]["event"], entry["response"]["errorCode"]) for entry in results] == [
            (1, 504),
            (2, 504),
            (3, 504),
        ]
        assert ["did not answer in time" in entry["response"]["message"] for entry in results] == [True, False, False]
        assert len(upstream.arrivals) == 1


async def results_text(gateway: Gateway, job_id: str) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{gateway.url}{PATH}?action=results", json={"async": job_id}) as response,
    ):
        assert response.content_length is not None
        return await response.text()


RECEIVERS = {
    ("200",): 1,
    ("500", "404", "200"): 3,
    ("hang", "200"): 2,
    ("drip", "200"): 2,
    ("301", "200"): 2,
    ("close", "200"): 2,
    ("410",): 1,
    ("500",): 4,
}
"""What receivers answer to one callback after the other, and how many they get."""


async def test_must_pass_5_the_callback_is_the_results_whatever_the_receiver_does(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(echo) as upstream,
        receiving(SIGNING) as receiver,
        running_gateway(config(upstream, tmp_path, receiver)) as gateway,
    ):
        ids = [
            await run(gateway, [job(2 * n), job(2 * n + 1)], receiver.url(f"/{n}", *answers))
            for n, answers in enumerate(RECEIVERS)
        ]
        await receiver.call(sum(RECEIVERS.values()) - 1)
        for n, (job_id, calls) in enumerate(zip(ids, RECEIVERS.values(), strict=True)):
            expected = await results_text(gateway, job_id)
            invited = [entry["response"]["invited"] for entry in json.loads(expected)["results"]]
            made = [call for call in receiver.calls if call.path == f"/{n}"]
            assert (invited, [(call.body, call.verified) for call in made]) == ([2 * n, 2 * n + 1], [(expected, True)] * calls)
            assert len({call.headers["webhook-id"] for call in made}) == 1
            assert {call.headers["content-type"] for call in made} == {"application/json"}
        assert [call for call in receiver.calls if call.path == "/stolen"] == []


async def test_must_pass_6_restart_runs_nothing_again_and_repost_repeats_the_callback(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream() as upstream,
        receiving(SIGNING) as receiver,
        running_gateway(config(upstream, tmp_path, receiver)) as gateway,
    ):
        job_id = await run(gateway, [job(1), job(2)], receiver.url("/hook"))
        held = [await upstream.arrived(1), await upstream.arrived(2)]
        assert await ask(gateway, "restart", {"async": job_id}) == (200, {"restarted": True})
        assert codes(await ask(gateway, "repost", {"async": job_id})) == (400, 400, 24114)
        for exchange in held:
            exchange.answer(echo(exchange.arrival))
        first = await receiver.call(0)
        assert await ask(gateway, "restart", {"async": job_id}) == (200, {"restarted": True})
        assert await ask(gateway, "repost", {"async": job_id}) == (200, {"reposted": True})
        again = await receiver.call(1)
        assert (again.body, again.headers["webhook-id"]) == (first.body, first.headers["webhook-id"])
        assert (first.body, again.verified) == (await results_text(gateway, job_id), True)
        assert len(await finished(gateway, job_id)) == 2
        assert len(upstream.arrivals) == 2


async def test_a_second_signal_waits_for_no_receiver_and_the_next_start_calls_it_again(tmp_path: Path) -> None:
    async with ScriptedUpstream(echo) as upstream, receiving(SIGNING) as receiver:
        settings = config(upstream, tmp_path, receiver)
        settings["server"]["shutdown_timeout"] = "60s"
        settings["jobs"]["callbacks"]["timeout"] = "60s"
        async with running_gateway(settings) as gateway:
            await run(gateway, [job(1)], receiver.url("/hook", "hang", "200"))
            await receiver.call(0)
            gateway.signal(signal.SIGTERM)
            await gateway.wait_for("draining")
            gateway.signal(signal.SIGTERM)
            assert await gateway.exit_status() == 1
            assert gateway.events("callback") == []
        async with running_gateway(settings) as gateway:
            callback = await gateway.wait_for("callback")
    assert (callback["attempt"], callback["state"]) == (1, "delivered")
    assert receiver.calls[0].headers["webhook-id"] == receiver.calls[1].headers["webhook-id"]


async def test_must_pass_7_results_are_kept_for_a_time_and_then_not_found(tmp_path: Path) -> None:
    settings = config(upstream := ScriptedUpstream(echo), tmp_path, retention={"results": "700ms"})
    async with upstream:
        settings["upstreams"]["ivvy"]["url"] = upstream.url
        async with running_gateway(settings) as gateway:
            job_id = await run(gateway, [job(1)])
            await finished(gateway, job_id)
            async with asyncio.timeout(PATIENCE):
                while (answered := await ask(gateway, "results", {"async": job_id}))[0] == 200:
                    pass
            assert codes(answered) == (404, 404, 24115)
            assert codes(await ask(gateway, "progress", {"async": job_id})) == (404, 404, 24105)


NOT_ALLOWED = [
    "http://example.com/",
    "https://user:secret@example.com/",
    "https://example.com:22/",
    "https://localhost/",
    "https://127.0.0.1/",
    "https://10.0.0.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://0x7f000001/",
    "ftp://example.com/",
    "nowhere",
    "//example.com/",
]


async def test_must_pass_8_a_callback_url_is_looked_at_before_anything_is_sent(tmp_path: Path) -> None:
    async with ScriptedUpstream(echo) as upstream:
        settings = config(upstream, tmp_path)
        settings["jobs"]["callbacks"] = {}
        async with running_gateway(settings) as gateway:
            for url in NOT_ALLOWED:
                answered = await ask(gateway, "run", {"jobs": [job(1)], "callbackUrl": url})
                assert codes(answered) == (422, 422, 422), url
        assert upstream.arrivals == []


async def test_must_pass_8_the_address_that_counts_is_the_one_connected_to(tmp_path: Path) -> None:
    """What was allowed when the job was taken, and is not when the callback is made, gets nothing."""
    async with ScriptedUpstream() as upstream, ScriptedUpstream(echo) as inside:
        settings = config(upstream, tmp_path)
        callbacks = {"https_only": False, "ports": [inside.port], "retries": ["1h"]}
        settings["jobs"]["callbacks"] = callbacks | {"allow": ["127.0.0.0/8"]}
        async with running_gateway(settings) as gateway:
            job_id = await run(gateway, [job(1)], f"http://localhost:{inside.port}/")
            await upstream.arrived(1)
            gateway.process.kill()
            await gateway.process.wait()
        settings["jobs"]["callbacks"] = callbacks
        async with running_gateway(settings) as gateway:
            line = await gateway.wait_for("callback")
            assert (line["job"], line["state"], line["status"]) == (job_id, "pending", None)
            assert len(await finished(gateway, job_id)) == 1
        assert inside.connections == 0


SECRET = "my secret key"  # of the vendor's own example


def sign(style: str, action: str, body: bytes, at: float, secret: str = SECRET) -> dict[str, str]:
    """Headers of a request as the vendor's documentation, its .NET library, and clients with a Date sign it."""
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    written = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
    dated = time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime(at))
    headers = {"Content-MD5": digest, "Content-Type": "application/json"}
    begin = f"POST{digest}"
    target = f"{PATH}?action={action}"
    match style:
        case "documented":
            text = f"{begin}application/json{target}1.0IVVYDate={written}"
            headers |= {"IVVY-Date": written, "X-Api-Version": "1.0", "Date": dated}
        case ".NET":
            text = f"{begin}application/json; charset=utf-8{target}1.0IVVYDate={written} UTC"
            headers |= {"IVVY-Date": f"{written} UTC", "Content-Type": "application/json; charset=utf-8"}
        case _:
            text = f"{begin}application/json{dated}{target}1.0"
            headers |= {"Date": dated, "X-Api-Version": "1.0"}
    signature = hmac.new(secret.encode(), text.lower().encode(), hashlib.sha1).hexdigest()
    return headers | {"X-Api-Authorization": f"IWS shop:{signature}"}


@asynccontextmanager
async def signed(tmp_path: Path) -> AsyncIterator[tuple[Gateway, ScriptedUpstream]]:
    async with ScriptedUpstream(echo) as upstream:
        settings = config(upstream, tmp_path, auth="keys")
        settings["dialects"]["ivvy"]["signed"] = True
        settings["clients"] = {
            "shop": {"ivvy": {"key": "shop", "secret": SECRET}},
            "bank": {"ivvy": {"key": "bank", "secret": SECRET}},
        }
        async with running_gateway(settings) as gateway:
            yield gateway, upstream


async def test_must_pass_9_signed_requests_pass_and_all_others_are_401(tmp_path: Path) -> None:
    body = json.dumps({"jobs": [job(1)], "callbackUrl": NOWHERE}).encode()
    async with signed(tmp_path) as (gateway, upstream):
        now = time.time()
        for style in ("documented", ".NET", "date"):
            headers = sign(style, "run", body, now)
            assert (await ask(gateway, "run", body, **headers))[0] == 200, style
            wrong = [
                sign(style, "run", body, now, "another secret"),
                headers | {"Content-MD5": "0" * 32},
                headers | {"X-Api-Authorization": headers["X-Api-Authorization"].replace("shop", "nobody")},
                sign(style, "results", body, now),
                {"Authorization": "Bearer shop"},
            ]
            for one in wrong:
                assert codes(await ask(gateway, "run", body, **one)) == (401, 401, 401), (style, one)
            assert codes(await ask(gateway, "run", body + b" ", **headers)) == (401, 401, 401)
            assert codes(await ask(gateway, "run", body, **sign(style, "run", body, now - 302))) == (401, 401, 23005)
        await upstream.arrived(3)
        assert len(upstream.arrivals) == 3


async def test_must_pass_7_one_keys_jobs_are_invisible_to_another(tmp_path: Path) -> None:
    body = json.dumps({"jobs": [job(1)], "callbackUrl": NOWHERE}).encode()
    async with signed(tmp_path) as (gateway, _):
        _, answer = await ask(gateway, "run", body, **sign("documented", "run", body, time.time()))
        about = json.dumps({"async": answer["asyncId"]}).encode()
        for action, code in (("progress", 24105), ("results", 24115), ("restart", 24105), ("repost", 24105)):
            headers = sign("documented", action, about, time.time())
            theirs = headers | {"X-Api-Authorization": headers["X-Api-Authorization"].replace("shop", "bank")}
            assert codes(await ask(gateway, action, about, **theirs)) == (404, 404, code)
        assert (await ask(gateway, "progress", about, **sign("date", "progress", about, time.time())))[0] == 200


async def test_the_configuration_that_ships_takes_only_the_calls_of_its_catalog(tmp_path: Path) -> None:
    settings: dict[str, Any] = yaml.safe_load((ROOT / "config" / "ivvy.yaml").read_text("utf-8"))
    settings["server"]["port"] = settings["admin"]["port"] = settings["server"]["drain_delay"] = 0
    settings["jobs"]["data"] = str(tmp_path)
    settings["jobs"]["callbacks"]["allow"] = ["192.0.2.0/24"]
    async with ScriptedUpstream(echo) as upstream, running_gateway(settings, {"IVVY_URL": upstream.url}) as gateway:
        for refused in (job(1, action="drop"), job(1, params={"event": "1", "contacts": []})):
            answered = await ask(gateway, "run", {"jobs": [refused], "callbackUrl": NOWHERE})
            assert codes(answered) == (400, 400, 24092)
        (entry,) = await finished(gateway, await run(gateway, [job(7)]))
        expected = job(7)
        assert (entry["request"], entry["response"]) == (expected["params"], {"invited": 7})
        async with aiohttp.ClientSession() as session, session.get(f"{gateway.url}{PATH}") as response:
            assert (response.status, (await response.json())["errorCode"]) == (405, 405)
