"""The native answer becomes frozen values, in seconds."""

import pytest

from gateway.client.answer import BatchAnswer, Entry, NotAnAnswer, read_answer
from tests.support.canned import entry, problem


def test_an_answer_is_read_in_seconds() -> None:
    document = {"responses": [entry(200, "/a", 12.5, queued=2.5, name="a", body={"x": 1})], "duration": 41.0}

    answer = read_answer(200, {"batch-operations": "1", "batch-failed": "0"}, document, "text")

    only = Entry(status=200, method="GET", path="/a", name="a", body={"x": 1}, duration=0.0125, queued=0.0025)
    assert answer == BatchAnswer(200, (only,), 0.041, operations=1, failed=0, text="text")


def test_nested_entries_are_found_by_name_and_counted_where_headers_do_not_say() -> None:
    below = entry(424, "/b", name="b", error=problem("dependency-failed", "a failed"))
    document = {"responses": [entry(500, "/a", 1.0, name="a", responses=[below])], "duration": 1}

    answer = read_answer(207, {}, document)

    assert (answer.operations, answer.failed) == (2, 2)
    assert answer["b"].reason == "dependency-failed"
    assert answer["a"].reason is None
    with pytest.raises(KeyError):
        answer["c"]


def test_durations_written_as_text_are_read_too() -> None:
    responses = [{"status": 200, "path": "/a", "duration": "12"}, {"status": 424, "path": "/b", "duration": "0"}]

    answer = read_answer(200, {}, {"responses": responses, "duration": "40"})

    assert (answer.duration, [one.duration for one in answer.entries]) == (0.040, [0.012, None])


def test_a_for_each_is_known_by_its_children() -> None:
    children = [entry(200, "/a/1", 1.0, index=0)]

    answer = read_answer(200, {}, {"responses": [entry(200, "/a", responses=children), entry(200, "/b", responses=[])]})

    assert [one.is_for_each for one in answer.entries] == [True, False]


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"responses": 1}, {"responses": [{}]}, {"responses": [1]}, {"responses": [{"status": "x"}]}],
)
def test_what_is_no_answer_is_said_to_be_none(document: object) -> None:
    with pytest.raises(NotAnAnswer):
        read_answer(200, {}, document)
