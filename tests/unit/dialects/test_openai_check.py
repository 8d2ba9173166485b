"""The lines of a file of requests: every code there is, in the order of the lines."""

import json
from typing import Any

import pytest

from gateway.batch.job import StoredFile
from gateway.dialects.openai_check import LineChecker, Request, check_input, read_line

ENDPOINT = "/v1/chat/completions"


def line(**changes: Any) -> bytes:
    good = {"custom_id": "a", "method": "POST", "url": ENDPOINT, "body": {"model": "m"}}
    return json.dumps({name: value for name, value in (good | changes).items() if value is not ...}).encode()


def checker(most: int = 50_000) -> LineChecker:
    return LineChecker(ENDPOINT, most, depth=64)


def found(content: bytes) -> list[tuple[str, str | None]]:
    problems = checker().check(7, content)
    assert {problem.line for problem in problems} <= {7}
    return [(problem.code, problem.param) for problem in problems]


@pytest.mark.parametrize(
    "content",
    [
        line(),
        line(body={"stream": False}),
        line(body={"messages": [{"stream": True}], "note": '"stream": true'}),
        line(body={}, priority=1),
        line(custom_id="ü" * 5000),
        b" " + line() + b" ",
    ],
    ids=["plain", "not streamed", "a stream further down", "fields of its own", "a long id", "blanks around"],
)
def test_a_good_line_has_no_problem(content: bytes) -> None:
    assert found(content) == []


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        (b"{", [("invalid_json_line", None)]),
        (b"[]", [("invalid_json_line", None)]),
        (b'"text"', [("invalid_json_line", None)]),
        (b"\xff", [("invalid_json_line", None)]),
        (b"\xef\xbb\xbf" + line(), [("invalid_json_line", None)]),
        (b'{"a":NaN}', [("invalid_json_line", None)]),
        (b"[" * 100_000, [("invalid_json_line", None)]),
        (line() + line(), [("invalid_json_line", None)]),
        (line(custom_id=...), [("missing_required_parameter", "custom_id")]),
        (line(method=...), [("missing_required_parameter", "method")]),
        (line(url=...), [("missing_required_parameter", "url")]),
        (line(body=...), [("missing_required_parameter", "body")]),
        (line(body=None), [("missing_required_parameter", "body")]),
        (
            b"{}",
            [("missing_required_parameter", name) for name in ("custom_id", "method", "url", "body")],
        ),
        (line(url="/v1/embeddings"), [("invalid_url", "url")]),
        (line(url=f"{ENDPOINT}/"), [("invalid_url", "url")]),
        (line(url=f"https://elsewhere.example{ENDPOINT}"), [("invalid_url", "url")]),
        (line(url=1), [("invalid_request", "url")]),
        (line(method="GET"), [("invalid_request", "method")]),
        (line(method="post"), [("invalid_request", "method")]),
        (line(custom_id=7), [("invalid_request", "custom_id")]),
        (line(custom_id=""), [("invalid_request", "custom_id")]),
        (line(body=[]), [("invalid_request", "body")]),
        (line(body="{}"), [("invalid_request", "body")]),
        (line(body={"stream": True}), [("streaming_unsupported", "body.stream")]),
        (line().replace(b'"model": "m"', b'"\\u0073tream": true'), [("streaming_unsupported", "body.stream")]),
    ],
    ids=lambda value: f"{len(value)} {repr(value)[-60:]}",
)
def test_every_mistake_has_its_code(content: bytes, problems: list[tuple[str, str | None]]) -> None:
    assert found(content) == problems


def test_an_id_that_was_there_before_is_told_at_the_later_line() -> None:
    one = checker()
    told = [one.check(position, line(custom_id=custom_id)) for position, custom_id in enumerate("abcab", 1)]
    assert [[(problem.code, problem.param, problem.line) for problem in problems] for problems in told] == [
        [],
        [],
        [],
        [("duplicate_custom_id", "custom_id", 4)],
        [("duplicate_custom_id", "custom_id", 5)],
    ]


def test_ids_are_the_same_however_they_are_spelled() -> None:
    one = checker()
    assert one.check(1, line(custom_id="A")) == []
    assert [problem.code for problem in one.check(2, line().replace(b'"a"', b'"\\u0041"'))] == ["duplicate_custom_id"]


def test_duplicates_are_found_over_the_most_lines_there_may_be() -> None:
    one = checker()
    for number in range(50_000):
        assert one.check(number + 1, line(custom_id=f"{number:0200}")) == []
    assert [problem.code for problem in one.check(50_001, line(custom_id=f"{0:0200}"))] == ["duplicate_custom_id"]


def test_a_file_has_some_lines_and_not_too_many() -> None:
    assert checker().finish(1) == []
    assert [problem.code for problem in checker().finish(0)] == ["empty_file"]
    assert [problem.code for problem in checker(2).finish(3)] == ["too_many_requests_in_file"]


def test_a_line_is_read_without_touching_its_body() -> None:
    body = b'{"n": 12345678901234567890.10,  "t": "${result=a:$.b}"}'
    content = b'{"body":' + body + b',"custom_id":"\\u00e9","method":"POST","url":"/x"}'
    assert read_line(content) == Request("é", body)


def test_the_input_must_be_there_and_be_for_batches() -> None:
    file = StoredFile("file-1", "ann", "batch", "a.jsonl", 1, "files/file-1", 0.0)
    assert check_input("file-1", file) == []
    for wrong in (None, StoredFile("file-1", "ann", "user_data", "a.jsonl", 1, "files/file-1", 0.0)):
        (problem,) = check_input("file-1", wrong)
        assert (problem.code, problem.param, problem.line) == ("invalid_request", "file_id", None)
