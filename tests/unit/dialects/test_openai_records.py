"""What result files say of one request: always one line, always JSON."""

import json
from typing import Any

import pytest

from gateway.batch.content import read_content
from gateway.dialects.openai_records import name_request, spell_failure, spell_response
from gateway.messages import Failure, Headers, Reason, Response

JSON: Headers = (("content-type", "application/json"),)


def read(record: bytes) -> dict[str, Any]:
    assert record.endswith(b"\n")
    assert record.count(b"\n") == 1
    found: dict[str, Any] = json.loads(record)
    return found


def spell(response: Response) -> bytes:
    return spell_response("batch_req_1_0", "é", response, read_content(response), "ours")


def test_an_answer_is_told_with_its_status_and_body() -> None:
    assert read(spell(Response(200, JSON, b'{"a": 1}'))) == {
        "id": "batch_req_1_0",
        "custom_id": "é",
        "response": {"status_code": 200, "request_id": "ours", "body": {"a": 1}},
        "error": None,
    }


def test_an_answer_that_is_an_error_has_no_error_of_ours() -> None:
    record = read(spell(Response(429, JSON, b'{"error": {}}')))
    assert (record["response"]["status_code"], record["response"]["body"], record["error"]) == (429, {"error": {}}, None)


def test_a_request_id_of_the_upstream_goes_first() -> None:
    record = read(spell(Response(200, (*JSON, ("x-request-id", "theirs")), b"{}")))
    assert record["response"]["request_id"] == "theirs"


def test_json_stands_as_it_came_but_on_one_line() -> None:
    record = spell(Response(200, JSON, b'{\r\n  "n": 1.10,\n  "t": "a\\nb"\n}\n'))
    assert b'"body":{    "n": 1.10,   "t": "a\\nb" } }' in record
    assert read(record)["response"]["body"] == {"n": 1.1, "t": "a\nb"}


@pytest.mark.parametrize(
    ("content_type", "body", "shown"),
    [
        ("text/plain", "grüß\ndich".encode(), "grüß\ndich"),
        ("application/json", b"{oops", "{oops"),
        ("image/png", b"\x00\xff", "AP8="),
        ("text/plain", b"", None),
    ],
)
def test_other_bodies_are_json_values_too(content_type: str, body: bytes, shown: str | None) -> None:
    response = Response(200, (("content-type", content_type),), body)
    assert read(spell(response))["response"]["body"] == shown


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reason.JOB_CANCELLED, "batch_cancelled"),
        (Reason.JOB_EXPIRED, "batch_expired"),
        (Reason.INTERRUPTED, "interrupted"),
        (Reason.UPSTREAM_TIMEOUT, "upstream_timeout"),
    ],
)
def test_a_request_without_an_answer_says_why(reason: Reason, code: str) -> None:
    assert read(spell_failure("batch_req_1_0", "a", Failure(reason, "why"))) == {
        "id": "batch_req_1_0",
        "custom_id": "a",
        "response": None,
        "error": {"code": code, "message": "why"},
    }


def test_there_is_always_a_message() -> None:
    assert read(spell_failure("r", "a", Failure(Reason.JOB_CANCELLED, "")))["error"]["message"]


def test_each_request_has_one_name() -> None:
    assert name_request("batch_0a", 12) == "batch_req_0a_12"
