"""Problem details as RFC 9457 has them."""

import json

from gateway.dialects.problem import encode_refusal, failure_object, problem_type
from gateway.errors import Problem, Refusal, refuse_envelope, status_of, title_of
from gateway.messages import Failure, Reason


def test_a_refusal_is_problem_json_with_its_reason_and_the_request_id() -> None:
    encoded = encode_refusal(Refusal(Reason.MALFORMED_JSON, "cut short"), "request-1")
    assert encoded.status == 400
    assert encoded.headers == (("content-type", "application/problem+json"),)
    assert json.loads(encoded.body) == {
        "type": "/problems/malformed-json",
        "title": "The body is not valid JSON",
        "status": 400,
        "detail": "cut short",
        "instance": "request-1",
        "reason": "malformed-json",
    }


def test_every_problem_of_an_envelope_is_an_error_with_its_pointer() -> None:
    problems = [Problem("/requests/0/path", Reason.UNKNOWN_UPSTREAM, "one"), Problem("", Reason.INVALID_ENVELOPE, "two")]
    encoded = encode_refusal(refuse_envelope(problems), "request-1")
    assert encoded.status == 422
    assert json.loads(encoded.body)["reason"] == "invalid-envelope"
    assert json.loads(encoded.body)["errors"] == [
        {"pointer": "/requests/0/path", "detail": "one", "reason": "unknown-upstream"},
        {"pointer": "", "detail": "two", "reason": "invalid-envelope"},
    ]


def test_a_method_refused_inside_an_envelope_is_422_and_not_405() -> None:
    refusal = refuse_envelope([Problem("/requests/0/method", Reason.METHOD_NOT_ALLOWED, "no")])
    encoded = encode_refusal(refusal, "request-1")
    assert (encoded.status, json.loads(encoded.body)["status"]) == (422, 422)


def test_a_refusal_brings_its_headers() -> None:
    refusal = Refusal(Reason.METHOD_NOT_ALLOWED, "use POST", headers=(("allow", "POST"),))
    assert encode_refusal(refusal, "request-1").headers == (("content-type", "application/problem+json"), ("allow", "POST"))


def test_a_failure_names_its_cause_only_where_there_is_one() -> None:
    assert failure_object(Failure(Reason.DEPENDENCY_FAILED, "a failed", cause="a")) == {
        "type": "/problems/dependency-failed",
        "title": "An operation this one depends on failed",
        "status": 424,
        "detail": "a failed",
        "reason": "dependency-failed",
        "cause": "a",
    }
    assert "cause" not in failure_object(Failure(Reason.UPSTREAM_CLOSED, "closed"))


def test_every_reason_has_a_type_a_status_and_a_title() -> None:
    for reason in Reason:
        assert problem_type(reason) == f"/problems/{reason}"
        assert 400 <= status_of(reason) < 600
        assert title_of(reason)
