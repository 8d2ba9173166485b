"""Every refusal."""

import pytest

from gateway.errors import SUMMARIES, Problem, Refusal, refuse_envelope, status_of, title_of
from gateway.messages import Reason


def test_every_reason_has_a_status_and_a_title_of_its_own() -> None:
    assert set(SUMMARIES) == set(Reason)
    assert len({title_of(reason) for reason in Reason}) == len(Reason)
    assert all(400 <= status_of(reason) < 600 for reason in Reason)


@pytest.mark.parametrize(
    ("status", "reasons"),
    [
        (400, {Reason.BAD_REQUEST, Reason.MALFORMED_JSON}),
        (413, {Reason.PAYLOAD_TOO_LARGE}),
        (415, {Reason.UNSUPPORTED_MEDIA_TYPE, Reason.UNSUPPORTED_ENCODING}),
        (424, {Reason.DEPENDENCY_FAILED, Reason.REFERENCE_UNRESOLVED, Reason.STOPPED, Reason.JOB_CANCELLED}),
        (500, {Reason.INTERNAL, Reason.JOB_ABANDONED}),
        (
            503,
            {Reason.CIRCUIT_OPEN, Reason.UPSTREAM_OVERLOADED, Reason.OVERLOADED, Reason.SHUTTING_DOWN, Reason.STORAGE_FAILED},
        ),
        (504, {Reason.UPSTREAM_TIMEOUT, Reason.BATCH_DEADLINE, Reason.JOB_EXPIRED}),
        (507, {Reason.UPSTREAM_TOO_LARGE, Reason.ANSWER_TOO_LARGE, Reason.STORAGE_FULL}),
    ],
)
def test_statuses_are_those_of_the_contract(status: int, reasons: set[Reason]) -> None:
    assert {reason for reason in Reason if status_of(reason) == status} == reasons


def test_a_refusal_carries_the_status_of_its_reason() -> None:
    refusal = Refusal(Reason.PAYLOAD_TOO_LARGE, "too much", headers=(("retry-after", "1"),))
    assert (refusal.status, str(refusal), refusal.problems, refusal.headers) == (413, "too much", (), (("retry-after", "1"),))


def test_one_problem_is_the_refusal() -> None:
    problem = Problem("/requests/0/method", Reason.METHOD_NOT_ALLOWED, "no")
    refusal = refuse_envelope([problem])
    assert (refusal.status, refusal.reason, refusal.detail, refusal.problems) == (
        422,
        Reason.METHOD_NOT_ALLOWED,
        "no",
        (problem,),
    )


def test_several_alike_keep_their_reason_and_several_kinds_make_an_invalid_envelope() -> None:
    name, path = Problem("/a", Reason.DUPLICATE_NAME, "first"), Problem("/b", Reason.PATH_NOT_ALLOWED, "second")
    assert refuse_envelope([name, name]).reason is Reason.DUPLICATE_NAME
    mixed = refuse_envelope([name, path])
    assert (mixed.reason, mixed.status, mixed.detail) == (Reason.INVALID_ENVELOPE, 422, "2 problems; the first: first")
