"""Lines of OpenAI's batches, as the engine of jobs has them read and spelled."""

import json
from typing import Any

import pytest

from gateway.batch.compile import Rules
from gateway.batch.content import read_content
from gateway.batch.job import Job, JobKind, Series, State
from gateway.batch.operation import BytesBody
from gateway.batch.results import Result
from gateway.batch.routes import Route, RouteTable
from gateway.dialects.openai_errors import BadParameter
from gateway.dialects.openai_objects import Spec, dump_spec
from gateway.jobs.kind import Line, LineFormat
from gateway.messages import Failure, Outcome, Reason, Response
from gateway.places.openai_lines import OpenAILines
from tests.support.batches import ok

ENDPOINT = "/v1/chat/completions"
ROUTES = RouteTable((Route("models", ENDPOINT, file_batches=True),))
LINES: LineFormat = OpenAILines(ROUTES, Rules(), 3)
JOB = Job(
    "batch_0a", "ann", JobKind.OPENAI, State.IN_PROGRESS, 0.0, 86_400.0, dump_spec(Spec(ENDPOINT, "24h")), input_file="file-1"
)
BODY = b'{"n": 1.10, "prompt": "${result=a:$.b} ${param=c}"}'
LINE = Line(4, b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":' + BODY + b"}")


def spell(outcome: Outcome) -> tuple[Series, dict[str, Any], bool | None]:
    operation = LINES.read(JOB, LINE)
    content = read_content(outcome if isinstance(outcome, Response) else Response(200, (), b""))
    series, record, counted = LINES.spell(JOB, LINE, Result(operation, "models", outcome, content), "ours")
    return series, json.loads(record), counted


def test_a_body_is_sent_as_it_stands_and_is_no_template() -> None:
    operation = LINES.read(JOB, LINE)
    assert (operation.method, operation.path, operation.target) == ("POST", ENDPOINT, (ENDPOINT,))
    assert (operation.body, operation.content_type, operation.references) == (BytesBody(BODY), "application/json", ())


def test_a_line_is_not_sent_to_what_is_served_no_more() -> None:
    with pytest.raises(BadParameter):
        OpenAILines(RouteTable((Route("models", ENDPOINT),)), Rules(), 3).read(JOB, LINE)


@pytest.mark.parametrize(
    ("status", "series", "counted"),
    [
        (200, Series.RESULTS, True),
        (299, Series.RESULTS, True),
        (304, Series.ERRORS, False),
        (404, Series.ERRORS, False),
        (500, Series.ERRORS, False),
    ],
)
def test_only_2xx_is_a_result_and_no_answer_has_an_error_of_ours(status: int, series: Series, counted: bool) -> None:
    found, record, counts = spell(ok({"a": 1}, status))
    assert (found, counts) == (series, counted)
    assert (record["id"], record["custom_id"], record["error"]) == ("batch_req_0a_4", "a", None)
    assert record["response"] == {"status_code": status, "request_id": "ours", "body": {"a": 1}}


def test_a_transport_failure_is_a_failed_error_without_a_response() -> None:
    series, record, counted = spell(Failure(Reason.UPSTREAM_CONNECT, "refused"))
    assert (series, counted) == (Series.ERRORS, False)
    assert (record["response"], record["error"]) == (None, {"code": "upstream_connect", "message": "refused"})


@pytest.mark.parametrize(
    ("reason", "code", "counted"),
    [
        (Reason.JOB_CANCELLED, "batch_cancelled", None),
        (Reason.JOB_EXPIRED, "batch_expired", None),
        (Reason.INTERRUPTED, "interrupted", False),
        (Reason.JOB_ABANDONED, "job_abandoned", False),
    ],
)
def test_what_never_ran_because_the_batch_ended_is_not_counted(reason: Reason, code: str, counted: bool | None) -> None:
    series, record, counts = LINES.spell_unsent(JOB, LINE, Failure(reason, "why"))
    assert (series, counts) == (Series.ERRORS, counted)
    assert json.loads(record)["error"] == {"code": code, "message": "why"}


def test_the_checker_knows_the_endpoint_and_how_many_lines_there_may_be() -> None:
    checker = LINES.checker(JOB)
    assert checker is not None
    assert checker.check(1, LINE.content) == []
    assert [problem.code for problem in checker.check(2, LINE.content)] == ["duplicate_custom_id"]
    assert [problem.code for problem in checker.finish(4)] == ["too_many_requests_in_file"]


def test_results_are_two_files_kept_as_long_as_asked() -> None:
    assert (LINES.frame(JOB), LINES.keep(JOB)) == (None, None)
    assert [problem.param for problem in LINES.check_input(JOB, None)] == ["file_id"]
