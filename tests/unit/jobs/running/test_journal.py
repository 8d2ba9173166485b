"""What a journal remembers of an attempt."""

import pytest

from gateway.batch.job import Part, Series
from gateway.batch.routes import HeaderPolicy, Route, RouteTable
from gateway.jobs.running.journal import Marks, Past, recall, spell_ended, spell_intent, spell_outcome
from gateway.messages import Failure, Outcome, Reason, Request, Response

ROUTES = RouteTable((Route("users", "/users", policy=HeaderPolicy(set=(("authorization", "old"),))),))
ASKED = Request("users", "POST", "/users", (("x-tenant", "a"),), b"{}", 5.0)


def part_of(*records: bytes) -> tuple[Part, bytes]:
    index = tuple((number, len(record)) for number, record in enumerate(records))
    return Part("job", 0, Series.JOURNAL, "key", index), b"".join(records)


@pytest.mark.parametrize(
    "outcome",
    [
        Response(200, (("content-type", "application/json"), ("set-cookie", "a"), ("set-cookie", "b")), b'{"a":\n1}\n', 0.25),
        Response(204, (), b""),
        Failure(Reason.UPSTREAM_TIMEOUT, "too late", 1.5, maybe_processed=True),
        Failure(Reason.DEPENDENCY_FAILED, "a failed", cause="a"),
    ],
)
def test_what_became_of_a_request_is_read_back_as_it_was(outcome: Outcome) -> None:
    assert recall([part_of(spell_outcome("m-1", outcome))]) == Past({"m-1": outcome}, size=1)


def test_a_journal_is_the_records_of_all_its_parts() -> None:
    done = Response(201, (), b"x")
    parts = [part_of(spell_intent("m-1"), spell_intent("m-2")), part_of(spell_outcome("m-1", done), spell_ended(3))]
    assert recall(parts) == Past({"m-1": done}, frozenset({"m-1", "m-2"}), frozenset({3}), size=4)


def test_requests_that_are_alike_are_told_apart_by_their_number() -> None:
    marks, again = Marks(ROUTES), Marks(ROUTES)
    first, second = marks.mark(ASKED), marks.mark(ASKED)
    assert first != second
    assert [again.mark(ASKED), again.mark(ASKED)] == [first, second]


def test_a_mark_depends_on_what_is_sent() -> None:
    others = [
        ASKED._replace(method="PUT"),
        ASKED._replace(target="/users/1"),
        ASKED._replace(body=b"[]"),
        ASKED._replace(body=None),
        ASKED._replace(headers=(("x-tenant", "b"),)),
        ASKED._replace(upstream="orders"),
    ]
    assert len({Marks(ROUTES).mark(request) for request in (ASKED, *others)}) == 7


def test_a_mark_stays_when_deadline_span_or_the_token_of_an_upstream_change() -> None:
    def marked(deadline: float, span: str, token: str) -> str:
        headers = (("x-tenant", "a"), ("traceparent", span), ("authorization", token))
        return Marks(ROUTES).mark(ASKED._replace(headers=headers, deadline=deadline))

    assert marked(1.0, "00-1-1-00", "old") == marked(2.0, "00-1-2-00", "new")
