"""Requests of the ivvy dialect, and the error for each that is no request."""

import json
from typing import Any

import pytest

from gateway.batch.job import Job, JobKind, State
from gateway.dialects.ivvy import (
    Submitted,
    asks_for_progress,
    decode_run,
    encode,
    progress_of,
    read_action,
    read_fields,
    read_id,
)
from gateway.dialects.ivvy_jobs import IvvyJob
from gateway.dialects.ivvy_refusals import Action, IvvyRefusal, add_code, encode_refusal
from gateway.errors import Refusal
from gateway.jsontext import change
from gateway.messages import Reason

JOB = {"namespace": "event", "action": "inviteContacts", "params": {"event": 1, "contacts": [1, 2, 3]}}
URL = "https://example.com/done"
ID = "e35e06ee592d17a42dc9e6252a058617"


def decode(jobs: Any, most: int = 200, **fields: Any) -> Submitted:
    return decode_run(read_fields(json.dumps({"jobs": jobs, "callbackUrl": URL} | fields).encode(), 64), most)


def error_of(refusal: Refusal) -> dict[str, Any]:
    encoded = encode_refusal(refusal)
    found: dict[str, Any] = json.loads(encoded.body)
    assert (encoded.status, encoded.headers[0]) == (found["errorCode"], ("content-type", "application/json"))
    return found


def refused(jobs: Any, most: int = 200, **fields: Any) -> dict[str, Any]:
    with pytest.raises(IvvyRefusal) as caught:
        decode(jobs, most, **fields)
    return error_of(caught.value)


def test_a_batch_keeps_the_params_byte_for_byte() -> None:
    params = '{"n": 12345678901234567890123, "x":1.10,\r\n "t":"${result=a:$.b}\\n"}'
    body = f'{{"jobs":[{{"namespace":"event","action":"get-list_2",\n"params":{params}}}],"callbackUrl":"{URL}"}}'
    submitted = decode_run(read_fields(body.encode(), 64), 200)
    assert submitted.jobs == (IvvyJob("event", "get-list_2", params.encode()),)
    assert submitted.callback_url == URL
    line = body[body.index('{"namespace') : body.index('],"callback')].replace("\n", " ").replace("\r", " ")
    assert submitted.lines == (line.encode(),)


@pytest.mark.parametrize(("params", "read"), [({}, b"{}"), ([], b"[]")])
def test_a_job_may_have_empty_params(params: Any, read: bytes) -> None:
    assert decode([JOB | {"params": params}]).jobs[0].params == read


def test_a_job_without_params_is_a_call_with_none() -> None:
    assert decode([{"namespace": "a", "action": "b"}]).jobs == (IvvyJob("a", "b", b"{}"),)


@pytest.mark.parametrize("jobs", [None, {}, "x", 1, [1], [JOB, None], [[]]])
def test_must_pass_2_what_is_no_list_of_objects_is_24092(jobs: Any) -> None:
    assert refused(jobs)["specificCode"] == 24092


@pytest.mark.parametrize(
    "change_",
    [
        {"namespace": 1},
        {"action": None},
        {"namespace": "../admin"},
        {"namespace": "a/b"},
        {"namespace": ".."},
        {"namespace": "a.b"},
        {"action": "x&action=y"},
        {"action": "a b"},
        {"action": "é"},
        {"action": "x\n"},
        {"action": "x" * 65},
        {"params": "text"},
        {"params": 7},
    ],
)
def test_must_pass_2_a_misformed_job_is_24092(change_: dict[str, Any]) -> None:
    error = refused([JOB, JOB | change_])
    assert (error["errorCode"], error["specificCode"]) == (400, 24092)
    assert error["additionalMessages"][0].startswith(f"/jobs/1/{next(iter(change_))}: ")


@pytest.mark.parametrize("field", ["namespace", "action"])
def test_must_pass_2_a_job_without_namespace_or_action_is_24092(field: str) -> None:
    job = {name: value for name, value in JOB.items() if name != field}
    assert refused([job]) == {
        "errorCode": 400,
        "message": "Incorrect job format",
        "specificCode": 24092,
        "additionalMessages": [f"/jobs/0: {field} is missing"],
    }


@pytest.mark.parametrize("change_", [{"namespace": ""}, {"action": ""}, {"params": None}, {"params": ""}])
def test_must_pass_2_an_empty_parameter_is_24093(change_: dict[str, Any]) -> None:
    assert refused([JOB | change_])["specificCode"] == 24093


@pytest.mark.parametrize("fields", [{"jobs": []}, {"callbackUrl": ""}, {"callbackUrl": None}])
def test_must_pass_2_an_empty_field_of_the_batch_is_24093(fields: dict[str, Any]) -> None:
    assert refused(**({"jobs": [JOB]} | fields))["specificCode"] == 24093


def test_must_pass_2_201_jobs_are_24448_and_200_pass() -> None:
    assert refused([JOB] * 201)["specificCode"] == 24448
    assert len(decode([JOB] * 200).lines) == 200


def test_a_list_that_is_missing_and_a_url_that_is_none_are_24092() -> None:
    with pytest.raises(IvvyRefusal) as caught:
        decode_run(read_fields(b"{}", 64), 200)
    assert caught.value.code == 24092
    assert refused([JOB], callbackUrl=1)["specificCode"] == 24092


def test_only_the_first_things_wrong_are_told() -> None:
    assert len(refused([1] * 200)["additionalMessages"]) == 20


@pytest.mark.parametrize(("body", "code"), [(b"{", 400), (b"[]", 400), (b"", 400), (b'{"a":NaN}', 400), (b"[" * 65, 400)])
def test_a_body_that_is_no_json_object(body: bytes, code: int) -> None:
    with pytest.raises(Refusal) as caught:
        read_fields(body, 64)
    assert error_of(caught.value)["specificCode"] == code


@pytest.mark.parametrize("query", ["", "action=", "action=drop", "action=run&action=run", "Action=run", "action=RUN"])
def test_an_action_there_is_not(query: str) -> None:
    with pytest.raises(IvvyRefusal) as caught:
        read_action(query)
    assert error_of(caught.value) == {
        "errorCode": 404,
        "message": "the query must have one action, which is one of run, progress, results, restart, repost",
        "specificCode": 404,
    }


def test_every_action_is_read() -> None:
    assert [read_action(f"x=1&action={action}") for action in Action] == list(Action)


@pytest.mark.parametrize("body", [b"{}", b'{"async":1}', b'{"async":null}'])
def test_an_id_must_be_given(body: bytes) -> None:
    with pytest.raises(IvvyRefusal) as caught:
        read_id(read_fields(body, 64))
    assert error_of(caught.value)["specificCode"] == 400


@pytest.mark.parametrize("text", ["", "../../etc", "x" * 100_000, ID.upper(), f"{ID}0", f"{ID}\n"])
def test_an_id_that_no_batch_can_have_is_not_found(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_id(read_fields(json.dumps({"async": text}).encode(), 64))
    assert error_of(add_code(caught.value, Action.PROGRESS))["specificCode"] == 24105
    assert error_of(add_code(caught.value, Action.RESULTS))["specificCode"] == 24115


def test_a_run_with_an_id_and_no_jobs_asks_for_progress() -> None:
    assert asks_for_progress(read_fields(json.dumps({"async": ID}).encode(), 64))
    assert not asks_for_progress(read_fields(json.dumps({"async": ID, "jobs": []}).encode(), 64))
    assert read_id(read_fields(json.dumps({"async": ID}).encode(), 64)) == ID


@pytest.mark.parametrize(
    ("reason", "action", "expected"),
    [
        (Reason.CONFLICT, Action.RESULTS, (400, 24114)),
        (Reason.CONFLICT, Action.REPOST, (400, 24114)),
        (Reason.NOT_FOUND, Action.RESTART, (404, 24105)),
        (Reason.NOT_FOUND, Action.REPOST, (404, 24105)),
        (Reason.QUOTA_EXCEEDED, Action.RUN, (429, 24091)),
        (Reason.STORAGE_FULL, Action.RUN, (507, 24091)),
        (Reason.STORAGE_FAILED, Action.RUN, (503, 24091)),
        (Reason.STORAGE_FAILED, Action.PROGRESS, (503, 503)),
        (Reason.CALLBACK_NOT_ALLOWED, Action.RUN, (422, 422)),
        (Reason.UNAUTHORIZED, Action.RUN, (401, 401)),
    ],
)
def test_codes_of_other_refusals(reason: Reason, action: Action, expected: tuple[int, int]) -> None:
    error = error_of(add_code(Refusal(reason, "why", headers=(("retry-after", "1"),)), action))
    assert (error["errorCode"], error["specificCode"], error["message"]) == (*expected, "why")


def test_headers_of_a_refusal_are_kept() -> None:
    refusal = add_code(Refusal(Reason.QUOTA_EXCEEDED, "why", headers=(("retry-after", "1"),)), Action.RUN)
    assert ("retry-after", "1") in encode_refusal(refusal).headers


def test_must_pass_3_progress_goes_from_0_to_100_and_is_100_at_the_end_only() -> None:
    job = Job(ID, "t", JobKind.IVVY, State.VALIDATING, 0.0, 1.0, b"{}")
    seen = [progress_of(job)]
    for ended in range(301):
        failed = ended // 3
        seen.append(progress_of(change(job, state=State.IN_PROGRESS, lines=300, succeeded=ended - failed, failed=failed)))
    seen.append(progress_of(change(job, state=State.FINALIZING, lines=300, succeeded=300)))
    seen.append(progress_of(change(job, state=State.COMPLETED, lines=300, succeeded=300)))
    assert seen == sorted(seen)
    assert (seen[0], seen[-2], seen[-1], set(seen)) == (0, 99, 100, set(range(101)))


@pytest.mark.parametrize("state", [State.CANCELLED, State.EXPIRED, State.FAILED])
def test_must_pass_3_a_batch_that_was_ended_has_all_its_progress(state: State) -> None:
    assert progress_of(Job(ID, "t", JobKind.IVVY, state, 0.0, 1.0, b"{}", lines=10, succeeded=3)) == 100


def test_answers_have_one_field() -> None:
    assert [one.body for one in (encode("asyncId", ID), encode("progress", 33), encode("restarted", True))] == [
        f'{{"asyncId":"{ID}"}}'.encode(),
        b'{"progress":33}',
        b'{"restarted":true}',
    ]
