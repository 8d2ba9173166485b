"""Native batches that run later, over real sockets: the gateway is a process of its own, and so is its end."""

import asyncio
import hashlib
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.process import Gateway, running_gateway, start_process, write_config
from tests.support.upstream import PATIENCE, Arrival, ScriptedUpstream, respond_json

CHAIN = {
    "requests": [
        {"name": "a", "path": "/users/1"},
        {"name": "b", "method": "POST", "path": "/users", "body": {"of": "${result=a:$.id}"}},
        {"path": "/users/${result=b:$.id}/last"},
    ]
}
ASYNC = {"prefer": "respond-async"}


def config(upstream: ScriptedUpstream, folder: Path, **jobs: Any) -> dict[str, Any]:
    given = {"enabled": True, "data": str(folder), "auth": "none", **jobs}
    return {"upstreams": {"users": {"url": upstream.url, "routes": ["/users"]}}, "jobs": given}


def echo(arrival: Arrival) -> Any:
    return respond_json({"id": 7, "target": arrival.target})


@asynccontextmanager
async def asking(gateway: Gateway, **headers: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(gateway.url, headers=headers) as session:
        yield session


async def submit(session: aiohttp.ClientSession, batch: Any = CHAIN) -> str:
    """Leave a batch to run later; where it is."""
    async with session.post("/batch", json=batch, headers=ASYNC) as response:
        assert response.status == 202, await response.text()
        assert response.headers["preference-applied"] == "respond-async"
        assert int(response.headers["retry-after"]) >= 1
        assert (await response.json())["links"]["self"] == response.headers["location"]
        return response.headers["location"]


async def get(session: aiohttp.ClientSession, path: str) -> tuple[int, Any]:
    async with session.get(path) as response:
        return response.status, await response.json()


async def ended(session: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    """The job once it has ended, by its events."""
    async with asyncio.timeout(PATIENCE), session.get(f"{path}/events") as response:
        assert response.content_type == "text/event-stream"
        text = (await response.content.read()).decode()
    events = [event for event in text.split("\n\n") if event and not event.startswith(":")]
    assert [event.split("\n")[0] for event in events[:-1]] == ["event: progress"] * (len(events) - 1)
    assert events[-1].startswith("event: end\ndata: ")
    found: dict[str, Any] = json.loads(events[-1].removeprefix("event: end\ndata: "))
    return found


async def test_a_batch_left_to_run_later_has_the_answer_it_would_have_had(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(echo) as upstream,
        running_gateway(config(upstream, tmp_path)) as gateway,
        asking(gateway) as session,
    ):
        path = await submit(session)
        job = await ended(session, path)
        assert (job["state"], job["counts"]) == ("completed", {"total": 3, "succeeded": 3, "failed": 0})
        assert {"createdAt", "startedAt", "endedAt", "expiresAt", "keptUntil"} < job.keys()
        status, page = await get(session, f"{path}/results")
        async with session.post("/batch", json=CHAIN) as response:
            live = await response.json()
        async with session.get(f"{path}/results", headers={"accept": "application/x-ndjson"}) as response:
            lines = (await response.text()).splitlines()
        _, jobs = await get(session, "/jobs")
    assert (status, page["hasMore"]) == (200, False)
    assert [(one["index"], one["body"]) for one in page["responses"]] == [
        (index, one["body"]) for index, one in enumerate(live["responses"])
    ]
    assert [json.loads(line) for line in lines[:-1]] == page["responses"]
    assert json.loads(lines[-1])["summary"]["operations"] == 3
    assert [one["id"] for one in jobs["jobs"]] == [job["id"]]


async def test_an_unusable_batch_is_refused_as_at_once_and_nothing_is_stored(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream(echo) as upstream,
        running_gateway(config(upstream, tmp_path)) as gateway,
        asking(gateway) as session,
    ):
        answers = []
        for headers in ({}, ASYNC):
            async with session.post("/batch", json={"requests": [{"path": "/nowhere"}, {}]}, headers=headers) as response:
                answers.append((response.status, (await response.json())["errors"]))
        jobs = await get(session, "/jobs")
        assert upstream.arrivals == []
    assert answers[0] == answers[1]
    assert answers[0][0] == 422
    assert jobs == (200, {"jobs": [], "hasMore": False})


async def test_results_come_in_pages_and_not_before_the_job_has_ended(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream() as upstream,
        running_gateway(config(upstream, tmp_path)) as gateway,
        asking(gateway) as session,
    ):
        path = await submit(session, {"requests": [{"path": f"/users/{n}"} for n in range(5)]})
        exchanges = [await upstream.arrived(n) for n in range(1, 6)]
        async with session.get(f"{path}/results") as response:
            early = (response.status, response.headers["retry-after"], (await response.json())["reason"])
        for exchange in exchanges:
            exchange.answer(respond_json({}))
        await ended(session, path)
        pages = []
        following: str | None = f"{path}/results?limit=2"
        while following is not None:
            _, page = await get(session, following)
            pages.append([one["index"] for one in page["responses"]])
            following = page.get("next")
        wrong = [(await get(session, f"{path}/results?{query}"))[0] for query in ("limit=0", "after=x", "page=2")]
    assert early == (409, "1", "conflict")
    assert pages == [[0, 1], [2, 3], [4]]
    assert wrong == [422, 422, 422]


async def test_a_job_is_cancelled_once_and_for_all(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream() as upstream,
        running_gateway(config(upstream, tmp_path)) as gateway,
        asking(gateway) as session,
    ):
        path = await submit(session, {"requests": [{"path": "/users/1"}]})
        exchange = await upstream.arrived(1)
        async with session.delete(path) as response:
            assert (response.status, (await response.json())["state"]) == (202, "cancelling")
        await exchange.gone()
        job = await ended(session, path)
        async with session.delete(path) as response:
            again = (response.status, (await response.json())["state"])
        _, page = await get(session, f"{path}/results")
        other = await submit(session, {"requests": [{"path": "/users/2"}]})
        (await upstream.arrived(2)).answer(respond_json({}))
        await ended(session, other)
        async with session.delete(other) as response:
            late = (response.status, (await response.json())["reason"])
    assert (job["state"], job["cancelRequested"]) == ("cancelled", True)
    assert again == (200, "cancelled")
    assert page["responses"][0]["error"]["reason"] == "job-cancelled"
    assert late == (409, "conflict")


async def test_a_killed_gateway_goes_on_where_it_was(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream:
        command = ("serve", "--config", write_config(tmp_path, config(upstream, tmp_path / "data")))
        gateway = await start_process(*command)
        await gateway.listen()
        async with asking(gateway) as session:
            path = await submit(session)
            (await upstream.arrived(1)).answer(respond_json({"id": 1}))
            (await upstream.arrived(2)).answer(respond_json({"id": 2}))
            await upstream.arrived(3)
            async with asyncio.timeout(PATIENCE), session.get(f"{path}/events") as response:
                while b'"succeeded":2' not in await response.content.readline():
                    pass
        gateway.signal(signal.SIGKILL)
        await gateway.exit_status()
        gateway = await start_process(*command)
        try:
            await gateway.listen()
            async with asking(gateway) as session:
                (await upstream.arrived(4)).answer(respond_json({"id": 3}))
                job = await ended(session, path)
                _, page = await get(session, f"{path}/results")
        finally:
            await gateway.stop()
        sent = [(arrival.method, arrival.target) for arrival in upstream.arrivals]
    assert job["counts"] == {"total": 3, "succeeded": 3, "failed": 0}
    assert [one["body"] for one in page["responses"]] == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert sent == [("GET", "/users/1"), ("POST", "/users"), ("GET", "/users/2/last"), ("GET", "/users/2/last")]


async def test_jobs_of_one_client_are_not_there_for_another(tmp_path: Path) -> None:
    keys = {name: f"sha256:{hashlib.sha256(name.encode()).hexdigest()}" for name in ("mine", "theirs")}
    clients = {"clients": {name: {"keys": [key]} for name, key in keys.items()}}
    async with (
        ScriptedUpstream(echo) as upstream,
        running_gateway(config(upstream, tmp_path, auth="keys") | clients) as gateway,
    ):
        async with asking(gateway, authorization="Bearer mine") as session:
            path = await submit(session)
            await ended(session, path)
        seen = []
        async with asking(gateway, authorization="Bearer theirs") as session:
            seen += [(await get(session, path + rest))[0] for rest in ("", "/results", "/events")]
            async with session.delete(path) as response:
                seen.append(response.status)
            assert (await get(session, "/jobs"))[1]["jobs"] == []
        async with asking(gateway) as session:
            seen.append((await get(session, path))[0])
            async with session.post("/batch", json=CHAIN, headers=ASYNC) as response:
                seen.append(response.status)
            async with session.post("/batch", json=CHAIN) as response:
                seen.append(response.status)
        assert "authorization" not in {name.lower() for arrival in upstream.arrivals for name, _ in arrival.headers}
    assert seen == [404, 404, 404, 404, 401, 401, 200]


async def test_who_follows_a_job_and_leaves_costs_nothing(tmp_path: Path) -> None:
    async with (
        ScriptedUpstream() as upstream,
        running_gateway(config(upstream, tmp_path)) as gateway,
        asking(gateway) as session,
    ):
        path = await submit(session, {"requests": [{"path": "/users/1"}]})
        exchange = await upstream.arrived(1)
        async with session.get(f"{path}/events", headers={"last-event-id": "17"}) as response:
            assert (await response.content.readline()) == b"event: progress\n"
            response.close()
        left = await gateway.wait_for("batch", match=lambda line: line["status"] == 499)
        exchange.answer(respond_json({}))
        job = await ended(session, path)
    assert left["reason"] == "client-gone"
    assert job["state"] == "completed"


@pytest.mark.parametrize("enabled", [True, False])
async def test_without_the_preference_or_without_jobs_nothing_changes(tmp_path: Path, enabled: bool) -> None:
    headers = {} if enabled else ASYNC
    async with (
        ScriptedUpstream(echo) as upstream,
        running_gateway(config(upstream, tmp_path, enabled=enabled)) as gateway,
        asking(gateway) as session,
    ):
        async with session.post("/batch", json=CHAIN, headers=headers) as response:
            assert (response.status, len((await response.json())["responses"])) == (200, 3)
            assert "preference-applied" not in response.headers
        assert (await get(session, "/jobs"))[0] == (200 if enabled else 404)
