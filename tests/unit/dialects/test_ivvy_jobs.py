"""From a job of the ivvy dialect to what is sent, and from what was answered to its entry."""

import json
from typing import Any

import pytest

from gateway.batch.catalog import Catalog, Written, compile_kind
from gateway.batch.compile import Rules
from gateway.batch.content import EMPTY, read_content
from gateway.batch.operation import JsonBody
from gateway.batch.results import Result
from gateway.dialects.ivvy_jobs import IvvyJob, as_line, read_line
from gateway.dialects.ivvy_refusals import IvvyRefusal
from gateway.dialects.ivvy_results import TAIL, head_of, spell_failure, spell_result
from gateway.messages import Failure, Outcome, Reason, Response

PARAMS = b'{"event": 1, "big": 12345678901234567890.10, "t": "${result=a:$.b} ${param:$.element}"}'
JOB = IvvyJob("event", "inviteContacts", PARAMS)


def catalog(schema: Any = True, **changes: Any) -> Catalog:
    written = Written(schema, **({"paths": ("/x/${param:$.element.event}",), "method": "PUT"} | changes))
    kind, problems = compile_kind("event.inviteContacts", written, Rules(parameters=True))
    assert kind is not None, problems
    return Catalog({"event.inviteContacts": kind})


def entry_of(outcome: Outcome) -> Any:
    content = read_content(outcome) if isinstance(outcome, Response) else EMPTY
    text = spell_result(JOB, Result(JOB.make_operation(None, "/jobs/0"), "a", outcome, content))
    assert b'"request":' + PARAMS + b',"response":' in text
    found = json.loads(text)
    assert (found["namespace"], found["action"], list(found)) == (
        "event",
        "inviteContacts",
        ["namespace", "action", "request", "response"],
    )
    return found["response"]


def test_a_job_is_a_post_of_its_params_and_nothing_in_them_is_a_reference() -> None:
    operation = JOB.make_operation(None, "/jobs/7")
    assert (operation.pointer, operation.method, operation.target, operation.content_type) == (
        "/jobs/7",
        "POST",
        ("/api/1.0/event?action=inviteContacts",),
        "application/json",
    )
    assert operation.body == JsonBody((PARAMS,))
    assert (operation.references, operation.parameters) == ((), None)


def test_a_catalog_says_what_a_job_sends() -> None:
    operation = JOB.make_operation(catalog(), "/jobs/0")
    assert (operation.method, operation.path) == ("PUT", "/x/${param:$.element.event}")
    assert operation.body == JsonBody((PARAMS,))


@pytest.mark.parametrize(
    ("job", "schema", "problem"),
    [
        (IvvyJob("event", "drop", b"{}"), True, ("/jobs/0", "event.drop is none of the calls that can be made here")),
        (IvvyJob("event", "inviteContacts", b"{}"), {"required": ["event"]}, ("/jobs/0/params/event", "event is required")),
    ],
)
def test_what_the_catalog_does_not_have_is_24092(job: IvvyJob, schema: Any, problem: tuple[str, str]) -> None:
    with pytest.raises(IvvyRefusal) as caught:
        job.make_operation(catalog(schema), "/jobs/0")
    (found,) = caught.value.problems
    assert (caught.value.code, found.pointer, found.detail) == (24092, *problem)


def test_a_line_gives_back_the_job() -> None:
    text = b'{"action":"inviteContacts",\r\n"namespace":"event",\n "params":%b}' % PARAMS
    line = as_line(text)
    assert b"\n" not in line
    assert b"\r" not in line
    assert read_line(line) == JOB


def test_a_line_that_is_no_job_any_more_is_refused() -> None:
    with pytest.raises(IvvyRefusal):
        read_line(b'{"namespace":"../x","action":"y"}')


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/json", b' {"id": 1}\n', {"id": 1}),
        ("application/json", b"", None),
        ("text/plain", b"done \xc3\xa9", "done é"),
        ("image/png", b"\x89PNG", "iVBORw=="),
        ("application/json", b"{", "{"),
    ],
)
def test_a_response_is_what_the_call_answered(kind: str, body: bytes, expected: Any) -> None:
    assert entry_of(Response(200, (("content-type", kind),), body)) == expected


def test_an_answer_is_embedded_byte_for_byte() -> None:
    body = b'{"n": 12345678901234567890.10, "x":1.0}'
    result = Result(
        JOB.make_operation(None, ""), "a", outcome := Response(200, (("content-type", "application/json"),), body),
        read_content(outcome),
    )  # fmt: skip
    assert spell_result(JOB, result).endswith(b'"response":' + body + b"}")


def test_must_pass_4_the_services_own_error_stands_as_it_came() -> None:
    error = {"errorCode": 400, "message": "no", "specificCode": 24000}
    assert entry_of(Response(400, (("content-type", "application/json"),), json.dumps(error).encode())) == error


@pytest.mark.parametrize(
    ("kind", "body", "told"),
    [
        ("application/json", b'{"detail":"no"}', ['{"detail":"no"}']),
        ("text/plain", b"no such thing", ["no such thing"]),
        ("text/plain", b"", None),
    ],
)
def test_must_pass_4_any_other_error_becomes_one(kind: str, body: bytes, told: list[str] | None) -> None:
    expected: dict[str, Any] = {"errorCode": 404, "message": "the service answered 404", "specificCode": 404}
    expected |= {"additionalMessages": told} if told else {}
    assert entry_of(Response(404, (("content-type", kind),), body)) == expected


def test_must_pass_4_a_failure_has_an_error_object() -> None:
    failure = Failure(Reason.UPSTREAM_TIMEOUT, "2 s were over")
    error = {"errorCode": 504, "message": "The upstream did not answer in time: 2 s were over", "specificCode": 504}
    assert entry_of(failure) == error
    assert json.loads(spell_failure(JOB, failure))["response"] == error


def test_a_document_of_results() -> None:
    assert json.loads(head_of("ab") + b",".join([b"1", b"2"]) + TAIL) == {"asyncId": "ab", "results": [1, 2]}
