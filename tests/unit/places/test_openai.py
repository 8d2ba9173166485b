"""The places of OpenAI's clients, in front of a desk and a shelf that write down what they are asked for."""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from gateway.batch.compile import Rules
from gateway.batch.job import Job, JobKind, State, StoredFile
from gateway.batch.routes import Route, RouteTable
from gateway.config.dialects import OpenAISettings
from gateway.config.jobs import ClientSettings, JobSettings
from gateway.dialects.dialect import Asked
from gateway.errors import Refusal
from gateway.jobs.clients import Client, Clients
from gateway.jobs.desk import Desk, Draft
from gateway.jobs.ports import Page
from gateway.jobs.shelf import Describe, Shelf
from gateway.messages import Context, Reason, Trace
from gateway.pipeline import Answer
from gateway.places.openai import make_openai_places
from gateway.places.place import Places, Takes

KEY = "sk-ann"
KEY_HASH = f"sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"
HEADERS = {"authorization": f"Bearer {KEY}"}
CONTEXT = Context("request-1", Trace("a" * 32, "b" * 16), "192.0.2.1", (), (("x-forwarded-host", "gateway.example"),))
CREATION = {"completion_window": "24h", "endpoint": "/v1/chat/completions", "input_file_id": "file-1"}


class FakeShelf(Shelf):
    """Has the files it is told of."""

    def __init__(self, *files: StoredFile) -> None:
        self.files = files
        self.contents: dict[str, bytes] = {}
        self.pages: list[tuple[str | None, Page]] = []

    async def add(self, client: Client, pieces: AsyncIterator[bytes], describe: Describe) -> StoredFile:
        content = b"".join([piece async for piece in pieces])
        said = describe()
        self.contents["file-9"] = content
        return StoredFile("file-9", client.name, said.purpose, said.filename, len(content), "files/file-9", 7.0)

    async def find(self, client: Client, file_id: str) -> StoredFile:
        for file in self.files:
            if file.id == file_id and file.tenant == client.name:
                return file
        raise Refusal(Reason.NOT_FOUND, "there is no such file")

    async def list(self, client: Client, purpose: str | None, page: Page) -> Sequence[StoredFile]:
        self.pages.append((purpose, page))
        if page.after is not None:
            await self.find(client, page.after)
        return self.files[: page.limit]

    async def remove(self, client: Client, file_id: str) -> None:
        await self.find(client, file_id)

    async def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        if file.key == "gone":
            raise Refusal(Reason.NOT_FOUND, "there is no such file")
        yield b"ab"
        yield b"cde"


class FakeDesk(Desk):
    """Has some jobs, and takes down drafts."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = jobs
        self.drafts: list[tuple[str, Draft]] = []
        self.pages: list[Page] = []

    async def submit(self, client: Client, draft: Draft) -> Job:
        self.drafts.append((client.name, draft))
        state = State.VALIDATING
        return Job("batch_9", client.name, draft.kind, state, 7.0, 7.0 + draft.seconds, draft.spec, input_file=draft.input_file)

    async def find(self, client: Client, kind: JobKind, job_id: str) -> Job:
        for job in self.jobs:
            if job.id == job_id and job.tenant == client.name:
                return job
        raise Refusal(Reason.NOT_FOUND, "there is no such job")

    async def list(self, client: Client, kind: JobKind, page: Page) -> Sequence[Job]:
        self.pages.append(page)
        if page.after is not None:
            await self.find(client, kind, page.after)
        return self.jobs[: page.limit]

    async def cancel(self, client: Client, kind: JobKind, job_id: str) -> Job:
        raise Refusal(Reason.CONFLICT, "Cannot cancel a batch with status 'completed'.")


class Written:
    """A Sink."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    async def write(self, piece: bytes) -> None:
        self.pieces.append(piece)


def places(desk: Desk | None = None, shelf: Shelf | None = None, **settings: Any) -> Places:
    clients = Clients({"ann": ClientSettings(keys=(KEY_HASH,))}, needs_key=True)
    routes = RouteTable((Route("models", "/v1/chat/completions", file_batches=True),))
    jobs = JobSettings(upload=1000)
    desk, shelf = desk or FakeDesk(), shelf or FakeShelf()
    return make_openai_places(OpenAISettings(**settings), jobs, clients, desk, shelf, routes, Rules())


def asked(*captured: str, body: bytes = b"", query: str = "") -> Asked:
    return Asked(body, query, HEADERS, captured)


def upload(body: bytes, **headers: str) -> Asked:
    async def stream() -> AsyncIterator[bytes]:
        yield body

    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    content_type = {"content-type": "multipart/form-data; boundary=sep"}
    return Asked(b"", headers=HEADERS | content_type | fields, stream=stream())


def read(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200
    assert answer.headers == (("content-type", "application/json"),)
    found: dict[str, Any] = json.loads(answer.body)
    return found


def file(number: int, key: str = "k", filename: str = "a.jsonl") -> StoredFile:
    return StoredFile(f"file-{number}", "ann", "batch", filename, 5, key, 7.0)


def job(number: int) -> Job:
    return Job(f"batch_{number}", "ann", JobKind.OPENAI, State.COMPLETED, 7.0, 9.0, b'["/v1/chat/completions","24h",null,null]')


FORM = (
    b'--sep\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\n\r\n{}\r\n'
    b'--sep\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--sep--\r\n'
)


def test_every_call_has_its_place_and_takes_what_clients_send() -> None:
    found = {(method, path): place.takes for path, methods in places(path="/v1/").items() for method, place in methods.items()}
    assert found == {
        ("POST", "/v1/files"): Takes.STREAM,
        ("GET", "/v1/files"): Takes.NOTHING,
        ("GET", "/v1/files/{id}"): Takes.NOTHING,
        ("DELETE", "/v1/files/{id}"): Takes.NOTHING,
        ("GET", "/v1/files/{id}/content"): Takes.NOTHING,
        ("POST", "/v1/batches"): Takes.JSON,
        ("GET", "/v1/batches"): Takes.NOTHING,
        ("GET", "/v1/batches/{id}"): Takes.NOTHING,
        ("POST", "/v1/batches/{id}/cancel"): Takes.NOTHING,
    }


async def test_every_call_needs_a_key() -> None:
    for methods in places().values():
        for place in methods.values():
            with pytest.raises(Refusal) as caught:
                await place.serve(Asked(b"", captured=("x",)), CONTEXT)
            encoded = place.refuse(caught.value, "request-1")
            assert (encoded.status, json.loads(encoded.body)["error"]["code"]) == (401, "invalid_api_key")
            assert place.dialect == "openai"


async def test_a_file_is_stored_as_it_arrives() -> None:
    shelf = FakeShelf()
    found = read(await places(shelf=shelf)["/v1/files"]["POST"].serve(upload(FORM), CONTEXT))
    assert (found["id"], found["bytes"], found["purpose"], found["filename"]) == ("file-9", 2, "batch", "a.jsonl")
    assert shelf.contents == {"file-9": b"{}"}


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
    ],
)
@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/files", "POST"),
        ("/v1/files/{id}", "DELETE"),
        ("/v1/batches", "POST"),
        ("/v1/batches/{id}/cancel", "POST"),
    ],
)
async def test_a_page_of_another_site_changes_nothing_here(path: str, method: str, headers: dict[str, str]) -> None:
    place = places()[path][method]
    with pytest.raises(Refusal) as caught:
        await place.serve(upload(FORM, **headers)._replace(captured=("x",)), CONTEXT)
    assert (caught.value.status, place.refuse(caught.value, "").status) == (403, 403)


async def test_a_page_of_our_own_site_may_upload() -> None:
    own = upload(FORM, origin="https://gateway.example", sec_fetch_site="same-origin")
    assert (await places()["/v1/files"]["POST"].serve(own, CONTEXT)).status == 200


async def test_one_more_than_asked_for_tells_whether_there_are_more() -> None:
    shelf, desk = FakeShelf(file(1), file(2), file(3)), FakeDesk(job(1), job(2), job(3))
    served = places(desk, shelf)
    two = read(await served["/v1/files"]["GET"].serve(asked(query="limit=2&purpose=batch&order=asc"), CONTEXT))
    assert (two["first_id"], two["last_id"], two["has_more"]) == ("file-1", "file-2", True)
    all_of_them = read(await served["/v1/batches"]["GET"].serve(asked(query="limit=3&after=batch_2"), CONTEXT))
    assert ([one["id"] for one in all_of_them["data"]], all_of_them["has_more"]) == (["batch_1", "batch_2", "batch_3"], False)
    assert shelf.pages == [("batch", Page(3, None, newest_first=False))]
    assert desk.pages == [Page(4, "batch_2")]


@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches"])
async def test_a_page_after_what_is_not_there_is_a_bad_request(path: str) -> None:
    place = places()[path]["GET"]
    with pytest.raises(Refusal) as caught:
        await place.serve(asked(query="after=nothing"), CONTEXT)
    encoded = place.refuse(caught.value, "request-1")
    assert (encoded.status, json.loads(encoded.body)["error"]["param"]) == (400, "after")


async def test_a_file_is_found_and_removed() -> None:
    served = places(shelf=FakeShelf(file(1)))["/v1/files/{id}"]
    assert read(await served["GET"].serve(asked("file-1"), CONTEXT))["id"] == "file-1"
    gone = {"id": "file-1", "object": "file", "deleted": True}
    assert read(await served["DELETE"].serve(asked("file-1"), CONTEXT)) == gone


async def test_a_file_is_read_with_its_length_and_never_as_a_page() -> None:
    place = places(shelf=FakeShelf(file(1, filename="ü\n.html")))["/v1/files/{id}/content"]["GET"]
    answer = await place.serve(asked("file-1"), CONTEXT)
    assert (answer.status, answer.length) == (200, 5)
    assert dict(answer.headers) == {
        "content-type": "application/octet-stream",
        "content-disposition": "attachment; filename*=UTF-8''%C3%BC%0A.html",
        "x-content-type-options": "nosniff",
    }
    sink = Written()
    assert answer.stream is not None
    ended = await answer.stream(sink)
    assert b"".join([*sink.pieces, ended.body]) == b"abcde"


async def test_a_file_whose_bytes_are_gone_is_told_before_the_answer_begins() -> None:
    place = places(shelf=FakeShelf(file(1, key="gone")))["/v1/files/{id}/content"]["GET"]
    with pytest.raises(Refusal) as caught:
        await place.serve(asked("file-1"), CONTEXT)
    assert caught.value.reason is Reason.NOT_FOUND


async def test_what_is_not_there_is_404() -> None:
    served = places()
    for path, method in [("/v1/files/{id}", "GET"), ("/v1/files/{id}/content", "GET"), ("/v1/batches/{id}", "GET")]:
        place = served[path][method]
        with pytest.raises(Refusal) as caught:
            await place.serve(asked("x"), CONTEXT)
        assert place.refuse(caught.value, "").status == 404


async def test_a_batch_is_taken_in_before_its_file_is_looked_at() -> None:
    desk = FakeDesk()
    body = json.dumps(CREATION | {"metadata": {"a": "b"}}).encode()
    found = read(await places(desk)["/v1/batches"]["POST"].serve(asked(body=body), CONTEXT))
    assert (found["status"], found["metadata"], found["expires_at"] - found["created_at"]) == ("validating", {"a": "b"}, 86_400)
    ((name, draft),) = desk.drafts
    assert (name, draft.kind, draft.input_file, draft.seconds) == ("ann", JobKind.OPENAI, "file-1", 86_400.0)


async def test_a_batch_is_found() -> None:
    place = places(FakeDesk(job(1)))["/v1/batches/{id}"]["GET"]
    assert read(await place.serve(asked("batch_1"), CONTEXT))["status"] == "completed"


async def test_a_batch_that_has_ended_cannot_be_cancelled_and_clients_need_not_try_again() -> None:
    place = places(FakeDesk(job(1)))["/v1/batches/{id}/cancel"]["POST"]
    with pytest.raises(Refusal) as caught:
        await place.serve(asked("batch_1"), CONTEXT)
    encoded = place.refuse(caught.value, "request-1")
    assert (encoded.status, dict(encoded.headers)["x-should-retry"]) == (409, "false")
    assert json.loads(encoded.body)["error"]["message"] == "Cannot cancel a batch with status 'completed'."
