"""Callback jobs at the door: what is refused, what the desk is given, what is answered."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.batch.catalog import Catalog
from gateway.batch.job import Job, JobKind, State
from gateway.batch.routes import Route, RouteTable
from gateway.config.dialects import IvvyDialectSettings
from gateway.config.jobs import ClientSettings, JobSettings
from gateway.dialects.dialect import Asked
from gateway.dialects.ivvy_signature import sign
from gateway.errors import Refusal
from gateway.jobs.clients import EVERYBODY, Client, Clients
from gateway.jobs.desk import Desk, Draft
from gateway.jsontext import change
from gateway.messages import Reason
from gateway.places.ivvy import IvvyBatches, make_ivvy_places
from tests.support.batches import CONTEXT, engine, send_nothing

ID = "e35e06ee592d17a42dc9e6252a058617"
JOB = {"namespace": "event", "action": "inviteContacts", "params": {"event": 1, "contacts": [1, 2, 3]}}
URL = "https://example.com/done"
RUNNING = Job(ID, "everybody", JobKind.IVVY, State.IN_PROGRESS, 0.0, 1.0, b"{}", lines=3, succeeded=1)
ENDED = change(RUNNING, state=State.COMPLETED, succeeded=3, results="jobs/x/results", keep_until=2000.0)
DOCUMENT = [b'{"asyncId":', b'"x","results":[]}']
ROUTES = RouteTable((Route("api", "/api/1.0"), Route("read", "/api/1.0/read", methods=frozenset({"GET"}))))


class OneJob(Desk):
    """Has one job, of a client called everybody, and notes what is asked of it."""

    def __init__(self, job: Job = RUNNING) -> None:
        self.job = job
        self.drafts: list[Draft] = []
        self.calls: list[str] = []
        self.refusal: Refusal | None = None

    async def submit(self, client: Client, draft: Draft) -> Job:
        if self.refusal is not None:
            raise self.refusal
        self.drafts.append(draft)
        return self.job

    async def find(self, client: Client, kind: JobKind, job_id: str) -> Job:
        if (client.name, kind, job_id) != (self.job.tenant, JobKind.IVVY, ID):
            raise Refusal(Reason.NOT_FOUND, "no such job")
        return self.job

    async def restart(self, client: Client, kind: JobKind, job_id: str) -> Job:
        self.calls.append("restart")
        return self.job

    async def redeliver(self, client: Client, kind: JobKind, job_id: str) -> Job:
        if not self.job.is_final:
            raise Refusal(Reason.CONFLICT, "it has not ended")
        self.calls.append("redeliver")
        return self.job

    async def results(self, job: Job) -> AsyncIterator[bytes]:
        for piece in DOCUMENT:
            yield piece

    async def results_size(self, job: Job) -> int:
        return len(b"".join(DOCUMENT))


class Pieces:
    """A sink."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    async def write(self, piece: bytes) -> None:
        self.written.append(piece)


async def allow(url: str) -> None:
    if "internal" in url:
        raise Refusal(Reason.CALLBACK_NOT_ALLOWED, "not there")


def place(
    desk: Desk,
    catalog: Catalog | None = None,
    signed: bool = False,
    clients: dict[str, ClientSettings] | None = None,
    routes: RouteTable = ROUTES,
) -> IvvyBatches:
    spoken = IvvyDialectSettings.model_validate({"path": "/api/1.0/batch", "signed": signed})
    jobs = JobSettings.model_validate({"timeout": "1h", "auth": "keys" if clients else "none"})
    known = Clients(clients or {}, needs_key=bool(clients))
    made = IvvyBatches(spoken, jobs, known, desk, allow, catalog, engine(send_nothing, routes=routes), lambda: 1000.0)
    assert make_ivvy_places(
        spoken, jobs, known, desk, allow, catalog, made.engine, made.now
    )["/api/1.0/batch"].keys() == {"POST"}  # fmt: skip
    return made


def ask(action: str, body: Any, **headers: str) -> Asked:
    return Asked(json.dumps(body).encode(), f"action={action}", headers, path="/api/1.0/batch")


async def answered(made: IvvyBatches, action: str, body: Any) -> Any:
    answer = await made.serve(ask(action, body), CONTEXT)
    assert answer.status == 200
    return json.loads(answer.body)


async def refused(made: IvvyBatches, asked: Asked) -> tuple[int, int]:
    with pytest.raises(Refusal) as caught:
        await made.serve(asked, CONTEXT)
    encoded = made.refuse(caught.value, "request-1")
    error = json.loads(encoded.body)
    assert encoded.status == error["errorCode"]
    return error["errorCode"], error["specificCode"]


def run(jobs: Sequence[Any], url: str = URL) -> dict[str, Any]:
    return {"jobs": jobs, "callbackUrl": url}


async def test_must_pass_1_run_answers_with_the_id_of_what_was_taken() -> None:
    desk = OneJob()
    assert await answered(place(desk), "run", run([JOB, JOB | {"action": "other"}])) == {"asyncId": ID}
    (draft,) = desk.drafts
    assert (draft.kind, draft.callback_url, draft.seconds, draft.spec) == (JobKind.IVVY, URL, 3600.0, b"{}")
    assert [json.loads(line) for line in draft.lines or ()] == [JOB, JOB | {"action": "other"}]
    assert CONTEXT.request_id.encode() in draft.asker


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"jobs": {}, "callbackUrl": URL}, (400, 24092)),
        (run([1]), (400, 24092)),
        (run([{"action": "x"}]), (400, 24092)),
        (run([]), (400, 24093)),
        (run([JOB | {"action": ""}]), (400, 24093)),
        (run([JOB] * 201), (400, 24448)),
        (run([JOB], "https://internal/"), (422, 422)),
        (run([JOB, JOB | {"namespace": "read"}]), (400, 24092)),
    ],
)
async def test_must_pass_2_what_is_refused_is_not_taken(body: Any, expected: tuple[int, int]) -> None:
    desk = OneJob()
    assert await refused(place(desk), ask("run", body)) == expected
    assert desk.drafts == []


async def test_must_pass_2_a_job_that_leads_nowhere_is_refused() -> None:
    desk = OneJob()
    made = place(desk, routes=RouteTable((Route("users", "/users"),)))
    assert await refused(made, ask("run", run([JOB]))) == (400, 24092)
    made = place(desk, Catalog({}))
    assert await refused(made, ask("run", run([JOB]))) == (400, 24092)
    assert desk.drafts == []


async def test_what_cannot_be_stored_is_24091() -> None:
    desk = OneJob()
    desk.refusal = Refusal(Reason.STORAGE_FULL, "no room")
    assert await refused(place(desk), ask("run", run([JOB]))) == (507, 24091)


async def test_must_pass_3_progress_is_percent() -> None:
    assert await answered(place(OneJob()), "progress", {"async": ID}) == {"progress": 33}
    assert await answered(place(OneJob(ENDED)), "progress", {"async": ID}) == {"progress": 100}


async def test_a_run_with_an_id_answers_progress() -> None:
    desk = OneJob()
    assert await answered(place(desk), "run", {"async": ID}) == {"progress": 33}
    assert await refused(place(desk), ask("run", {"async": "0" * 32})) == (404, 24105)


@pytest.mark.parametrize(
    ("action", "expected"),
    [("progress", (404, 24105)), ("results", (404, 24115)), ("restart", (404, 24105)), ("repost", (404, 24105))],
)
async def test_must_pass_3_an_unknown_id(action: str, expected: tuple[int, int]) -> None:
    assert await refused(place(OneJob()), ask(action, {"async": "0" * 32})) == expected
    assert await refused(place(OneJob()), ask(action, {"async": "../x"})) == expected


async def test_must_pass_3_results_that_are_early_are_24114() -> None:
    assert await refused(place(OneJob()), ask("results", {"async": ID})) == (400, 24114)
    finalizing = change(RUNNING, state=State.FINALIZING, succeeded=3)
    assert await refused(place(OneJob(finalizing)), ask("results", {"async": ID})) == (400, 24114)


async def test_must_pass_4_results_are_streamed_with_their_length() -> None:
    answer = await place(OneJob(ENDED)).serve(ask("results", {"async": ID}), CONTEXT)
    assert (answer.status, answer.length, answer.body) == (200, len(b"".join(DOCUMENT)), b"")
    assert answer.stream is not None
    sink = Pieces()
    last = await answer.stream(sink)
    assert ([*sink.written, last.body], last.status) == (DOCUMENT, 200)


@pytest.mark.parametrize("job", [RUNNING, ENDED])
async def test_must_pass_6_restart_is_the_desks(job: Job) -> None:
    desk = OneJob(job)
    assert await answered(place(desk), "restart", {"async": ID}) == {"restarted": True}
    assert desk.calls == ["restart"]


async def test_must_pass_6_repost_is_the_desks_and_needs_results() -> None:
    desk = OneJob(ENDED)
    assert await answered(place(desk), "repost", {"async": ID}) == {"reposted": True}
    assert desk.calls == ["redeliver"]
    assert await refused(place(OneJob()), ask("repost", {"async": ID})) == (400, 24114)


async def test_must_pass_7_what_is_kept_no_longer_is_not_found_although_it_is_still_there() -> None:
    over = change(ENDED, keep_until=1000.0)
    assert await refused(place(OneJob(over)), ask("results", {"async": ID})) == (404, 24115)
    assert await refused(place(OneJob(over)), ask("progress", {"async": ID})) == (404, 24105)
    assert await refused(place(OneJob(over)), ask("repost", {"async": ID})) == (404, 24105)


async def test_a_batch_without_results_says_so() -> None:
    failed = change(RUNNING, state=State.FAILED)
    assert await refused(place(OneJob(failed)), ask("results", {"async": ID})) == (404, 24115)


SHOP = {"shop": ClientSettings.model_validate({"ivvy": {"key": "shop", "secret": "s"}})}


async def test_without_a_key_nothing_is_told() -> None:
    made = place(OneJob(), clients=SHOP)
    for asked in (ask("run", run([JOB])), ask("nothing", {}), Asked(b"{", "action=run")):
        assert await refused(made, asked) == (401, 401)


async def test_must_pass_9_a_signed_request_is_its_signers() -> None:
    made = place(OneJob(change(RUNNING, tenant="shop")), signed=True, clients=SHOP)
    body = json.dumps({"async": ID}).encode()
    digest = "14193e732de61e7d93945d55af162b58"
    date = "1970-01-01 00:16:40"
    text = f"post{digest}application/json/api/1.0/batch?action=progress1.0ivvydate={date}"
    headers = {
        "content-md5": digest,
        "content-type": "application/json",
        "x-api-version": "1.0",
        "ivvy-date": date,
        "x-api-authorization": f"IWS shop:{sign('s', text.encode())}",
    }
    asked = Asked(body, "action=progress", headers, path="/api/1.0/batch")
    assert json.loads((await made.serve(asked, CONTEXT)).body) == {"progress": 33}
    assert await refused(made, asked._replace(query="action=results")) == (401, 401)
    assert await refused(replace(made, now=lambda: 1301.0), asked) == (401, 23005)
    other = {**headers, "x-api-authorization": headers["x-api-authorization"].replace("shop", "bank")}
    assert await refused(made, asked._replace(headers=other)) == (401, 401)
    assert await refused(made, ask("progress", {"async": ID}, authorization="Bearer x")) == (401, 401)


def test_without_a_path_nothing_is_served() -> None:
    spoken = IvvyDialectSettings.model_validate({})
    known = Clients({}, needs_key=False)
    assert known.identify({}) == EVERYBODY
    assert make_ivvy_places(spoken, JobSettings(), known, OneJob(), allow, None, engine(send_nothing), lambda: 0.0) == {}
