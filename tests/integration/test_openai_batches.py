"""Batches over real sockets, as clients of OpenAI's API have them: created, polled, cancelled and read.

`must_pass_N` is the N-th thing that clients of OpenAI's Batch API rely on here: 2 a batch is taken in before its file is read;
3 a file is validated as a whole; 4 what a batch that succeeds shows; 5 every request has one record, whatever became of it; 7
refusals that are final, pages that do not repeat.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.file_batches import ENDPOINT, PATIENCE, echo, hold, line, lines, serving
from tests.support.upstream import Answer, Arrival, close, respond, respond_json


async def test_must_pass_2_a_batch_is_taken_in_before_its_file_is_looked_at(tmp_path: Path) -> None:
    async with serving(tmp_path, hold) as (api, upstream):
        batch = await api.create("file-nothing", metadata={"team": "a"})
        assert (batch["metadata"], batch["expires_at"] - batch["created_at"]) == ({"team": "a"}, 86_400)
        assert (await api.create("file-nothing", metadata=None))["metadata"] is None
        failed = await api.until(batch, "failed")
        (problem,) = failed["errors"]["data"]
        assert (problem["code"], problem["param"], problem["line"]) == ("invalid_request", "file_id", None)
        assert failed["failed_at"] >= failed["created_at"]
        picture = (await api.upload(lines(1), "user_data"))[1]
        assert (await api.until(await api.create(picture["id"]), "failed"))["errors"]["data"][0]["param"] == "file_id"
        assert upstream.arrivals == []


async def test_must_pass_3_one_bad_line_fails_the_batch_and_nothing_is_sent(tmp_path: Path) -> None:
    content = [
        line("good"),
        b"{",
        line("a", custom_id=...),
        line("b", method=...),
        line("c", url=...),
        line("d", body=...),
        b"",
        line("e", url="/v1/embeddings"),
        line("good"),
        line("f", body={"stream": True}),
        line("g", method="GET"),
    ]
    async with serving(tmp_path, echo) as (api, upstream):
        failed = await api.until(await api.run(b"\n".join(content)), "failed")
        assert [(problem["line"], problem["code"], problem["param"]) for problem in failed["errors"]["data"]] == [
            (2, "invalid_json_line", None),
            (3, "missing_required_parameter", "custom_id"),
            (4, "missing_required_parameter", "method"),
            (5, "missing_required_parameter", "url"),
            (6, "missing_required_parameter", "body"),
            (8, "invalid_url", "url"),
            (9, "duplicate_custom_id", "custom_id"),
            (10, "streaming_unsupported", "body.stream"),
            (11, "invalid_request", "method"),
        ]
        assert (failed["output_file_id"], failed["error_file_id"]) == (None, None)
        assert upstream.arrivals == []


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "empty_file"), (b"\n \r\n\n", "empty_file"), (lines(4), "too_many_requests_in_file")],
    ids=["empty", "blank", "too many"],
)
async def test_must_pass_3_a_file_has_some_lines_and_not_too_many(tmp_path: Path, content: bytes, code: str) -> None:
    async with serving(tmp_path, echo, lines=3) as (api, upstream):
        failed = await api.until(await api.run(content), "failed")
        assert [problem["code"] for problem in failed["errors"]["data"]] == [code]
        assert upstream.arrivals == []


async def test_must_pass_3_blank_lines_crlf_and_a_missing_end_of_line_do_no_harm(tmp_path: Path) -> None:
    content = b"\r\n" + line("a") + b"\r\n\n  \n" + line("b")
    async with serving(tmp_path, echo) as (api, _):
        output, errors = await api.records(await api.until(await api.run(content), "completed"))
        assert ({name: record["response"]["body"] for name, record in output.items()}, errors) == (
            {name: {"sent": {"id": name}} for name in ("a", "b")},
            {},
        )


async def test_bodies_reach_the_upstream_byte_for_byte(tmp_path: Path) -> None:
    body = b'{ "n": 12345678901234567890.10, "t": "${result=a:$.b}\\u00e9" }'
    content = b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":' + body + b"}"
    async with serving(tmp_path, lambda _: respond_json(1)) as (api, upstream):
        await api.until(await api.run(content), "completed")
        (arrival,) = upstream.arrivals
        assert (arrival.method, arrival.target, arrival.body) == ("POST", ENDPOINT, body)
        assert (arrival.header("content-type"), arrival.header("authorization")) == ("application/json", None)


async def test_must_pass_4_counts_move_and_files_are_there_with_the_end(tmp_path: Path) -> None:
    async with serving(tmp_path, hold) as (api, upstream):
        batch = await api.run(lines(4))
        await upstream.arrived(4)
        for exchange in upstream.exchanges[:2]:
            exchange.answer(echo(exchange.arrival))
        async with asyncio.timeout(PATIENCE):
            while batch["request_counts"]["completed"] < 2:
                batch = await api.find(batch)
        assert (batch["status"], batch["request_counts"]) == ("in_progress", {"total": 4, "completed": 2, "failed": 0})
        assert (batch["output_file_id"], batch["error_file_id"]) == (None, None)
        for exchange in upstream.exchanges[2:]:
            exchange.answer(echo(exchange.arrival))
        batch = await api.until(batch, "completed")
        assert batch["request_counts"] == {"total": 4, "completed": 4, "failed": 0}
        times = [batch[name] for name in ("created_at", "in_progress_at", "finalizing_at", "completed_at")]
        assert times == sorted(times)
        output, errors = await api.records(batch)
        assert (sorted(output), errors, batch["error_file_id"]) == (["0", "1", "2", "3"], {}, None)
        file = (await api.ask("GET", f"/files/{batch['output_file_id']}"))[1]
        assert (file["purpose"], file["bytes"]) == ("batch_output", len(await api.content(file["id"])))


async def test_must_pass_5_every_request_has_one_record_whatever_became_of_it(tmp_path: Path) -> None:
    def script(arrival: Arrival) -> Answer:
        match json.loads(arrival.body)["id"]:
            case "0":
                return respond_json({"ok": True}, 200, (("x-request-id", "theirs"),))
            case "1":
                return respond_json({"error": "what?"}, 404)
            case "2":
                return respond(500, b"oops", (("content-type", "text/plain"),))
            case "3":
                return close()
            case _:
                return respond(200, b'{\n "a": 1\n}\n', (("content-type", "application/json"),))

    async with serving(tmp_path, script) as (api, _):
        batch = await api.until(await api.run(lines(5)), "completed")
        assert batch["request_counts"] == {"total": 5, "completed": 2, "failed": 3}
        output, errors = await api.records(batch)
        assert {name: record["response"]["body"] for name, record in output.items()} == {"0": {"ok": True}, "4": {"a": 1}}
        assert output["0"]["response"]["request_id"] == "theirs"
        assert output["4"]["response"]["request_id"]
        assert [(errors[name]["response"]["status_code"], errors[name]["error"]) for name in "12"] == [(404, None), (500, None)]
        assert errors["2"]["response"]["body"] == "oops"
        assert (errors["3"]["response"], errors["3"]["error"]["code"]) == (None, "upstream_closed")
        assert all(record["id"].startswith("batch_req_") for record in (*output.values(), *errors.values()))


async def test_must_pass_5_cancelling_in_the_middle_keeps_what_there_is(tmp_path: Path) -> None:
    released = asyncio.Event()

    def answer_once_released(arrival: Arrival) -> Answer | None:
        return echo(arrival) if released.is_set() else None

    async with serving(tmp_path, answer_once_released, concurrency_per_job=3, chunk_lines=4) as (api, upstream):
        batch = await api.run(lines(20))
        await upstream.arrived(3)
        for _ in range(2):
            assert (await api.ask("POST", f"/batches/{batch['id']}/cancel"))[1]["status"] == "cancelling"
        released.set()
        for exchange in upstream.exchanges:
            exchange.answer(echo(exchange.arrival))
        await api.until(await api.find(batch), "cancelled")
        batch = (await api.ask("POST", f"/batches/{batch['id']}/cancel", headers={"content-type": "application/json"}))[1]
        assert (batch["status"], batch["cancelled_at"] >= batch["cancelling_at"]) == ("cancelled", True)
        output, errors = await api.records(batch)
        assert {*output, *errors} == {str(number) for number in range(20)}
        assert sorted(output) == sorted([json.loads(arrival.body)["id"] for arrival in upstream.arrivals])
        assert {record["error"]["code"] for record in errors.values()} == {"batch_cancelled"}
        assert batch["request_counts"] == {"total": 20, "completed": len(output), "failed": 0}


async def test_must_pass_5_a_batch_that_runs_out_of_time_keeps_what_there_is(tmp_path: Path) -> None:
    def first_only(arrival: Arrival) -> Answer | None:
        return echo(arrival) if json.loads(arrival.body)["id"] == "0" else None

    windows = ("1s", "24h")
    async with serving(tmp_path, first_only, windows, concurrency_per_job=3, chunk_lines=4) as (api, upstream):
        batch = await api.run(lines(20), completion_window="1s")
        await upstream.arrived(4)
        batch = await api.until(batch, "expired")
        output, errors = await api.records(batch)
        assert {*output, *errors} == {str(number) for number in range(20)}
        assert "0" in output
        assert "batch_expired" in {record["error"]["code"] for record in errors.values()}
        counts = batch["request_counts"]
        never_ran = [record for record in errors.values() if record["error"]["code"] == "batch_expired"]
        assert counts["total"] == counts["completed"] + counts["failed"] + len(never_ran) == 20
        status, refused = await api.ask("POST", f"/batches/{batch['id']}/cancel")
        assert (status, refused["error"]["message"]) == (409, "Cannot cancel a batch with status 'expired'.")


async def test_must_pass_7_a_batch_that_has_ended_cannot_be_cancelled(tmp_path: Path) -> None:
    async with serving(tmp_path, echo) as (api, _):
        for content, state in ((lines(1), "completed"), (b"", "failed")):
            batch = await api.until(await api.run(content), state)
            path = f"/batches/{batch['id']}/cancel"
            status, refused = await api.ask("POST", path)
            assert (status, refused["error"]["message"]) == (409, f"Cannot cancel a batch with status '{state}'.")
            assert (await api.headers("POST", path))["x-should-retry"] == "false"
        assert (await api.ask("POST", "/batches/batch_nothing/cancel"))[0] == 404


async def test_must_pass_7_pages_do_not_repeat_while_new_batches_arrive(tmp_path: Path) -> None:
    async with serving(tmp_path, echo) as (api, _):
        made = [(await api.create("file-nothing"))["id"] for _ in range(7)]
        seen: list[str] = []
        page: Any = {"has_more": True, "data": []}
        while page["has_more"]:
            after = f"&after={page['data'][-1]['id']}" if page["data"] else ""
            _, page = await api.ask("GET", f"/batches?limit=2{after}")
            seen += [batch["id"] for batch in page["data"]]
            await api.create("file-nothing")
        assert seen == made[::-1]


async def test_a_bad_creation_is_400_with_its_param(tmp_path: Path) -> None:
    async with serving(tmp_path, hold) as (api, _):
        good = {"input_file_id": "file-1", "endpoint": ENDPOINT, "completion_window": "24h"}
        refused = [
            await api.ask("POST", "/batches", json={"endpoint": ENDPOINT, "completion_window": "24h"}),
            await api.ask("POST", "/batches", json=good | {"completion_window": "1h"}),
            await api.ask("POST", "/batches", json=good | {"endpoint": "/v1/nowhere"}),
            await api.ask("POST", "/batches", json=good | {"metadata": {"a": 1}}),
            await api.ask("POST", "/batches", data=b"{", headers={"content-type": "application/json"}),
        ]
        assert [(status, answer["error"]["param"], answer["error"]["code"]) for status, answer in refused] == [
            (400, "input_file_id", "missing_required_parameter"),
            (400, "completion_window", "invalid_value"),
            (400, "endpoint", "invalid_value"),
            (400, "metadata.a", "invalid_type"),
            (400, None, "malformed_json"),
        ]
        assert (await api.ask("GET", "/batches"))[1]["data"] == []
