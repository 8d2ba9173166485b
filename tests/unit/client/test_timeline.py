"""When operations ran, from what they waited for."""

from typing import Any

import pytest

from gateway.client.answer import read_answer
from gateway.client.timeline import lay_out, time_apart
from tests.support.canned import entry

Layout = list[tuple[str, int, float, float]]


def _laid_out(operations: list[dict[str, Any]], entries: list[dict[str, Any]]) -> Layout:
    """Path, depth, start and end in milliseconds of every span."""
    answer = read_answer(200, {}, {"responses": entries, "duration": 1000})
    spans = lay_out({"requests": operations}, answer)
    return [(span.entry.path, span.depth, round(span.start * 1000, 3), round(span.end * 1000, 3)) for span in spans]


def test_independent_operations_start_together() -> None:
    assert _laid_out([{"path": "/a"}, {"path": "/b"}], [entry(200, "/a", 30.0), entry(200, "/b", 50.0)]) == [
        ("/a", 0, 0, 30),
        ("/b", 0, 0, 50),
    ]


@pytest.mark.parametrize(
    "waiting",
    [
        {"path": "/b", "dependsOn": ["a"]},
        {"path": "/b", "after": ["a"]},
        {"path": "/b/${result=a:$.id}"},
        {"path": "/b?x=${status=a}"},
        {"path": "/b", "headers": {"x": "${header=a:etag}"}},
        {"path": "/b", "headers": '{"x": "${header=a:etag}"}'},
        {"path": "/b", "body": {"deep": [{"x": "seen ${result=a:$.id}"}]}},
        {"path": "/b/${item}", "forEach": "${result=a:$[*]}"},
    ],
)
def test_an_operation_starts_when_what_it_waits_for_has_ended(waiting: dict[str, Any]) -> None:
    layout = _laid_out([{"name": "a", "path": "/a"}, waiting], [entry(200, "/a", 30.0), entry(200, "/b", 50.0)])

    assert layout[1] == ("/b", 0, 30, 80)


@pytest.mark.parametrize("text", ["$${result=a:$.id}", "${result=nobody:$.id}", "${results=a}", "${result=a:$.id"])
def test_what_is_no_reference_to_an_operation_is_not_waited_for(text: str) -> None:
    layout = _laid_out([{"name": "a", "path": "/a"}, {"path": text}], [entry(200, "/a", 30.0), entry(200, "/b", 50.0)])

    assert layout[1] == ("/b", 0, 0, 50)


def test_the_last_of_several_decides_and_references_may_point_forward() -> None:
    operations = [{"path": "/c/${result=a:$}/${result=b:$}"}, {"name": "a", "path": "/a"}, {"name": "b", "path": "/b"}]

    layout = _laid_out(operations, [entry(200, "/c", 5.0), entry(200, "/a", 30.0), entry(200, "/b", 50.0)])

    assert layout == [("/c", 0, 50, 55), ("/a", 0, 0, 30), ("/b", 0, 0, 50)]


def test_nested_operations_start_after_their_parent() -> None:
    operations = [{"path": "/a", "requests": [{"path": "/a/b", "requests": [{"path": "/a/b/c"}]}, {"path": "/a/d"}]}]
    innermost = entry(200, "/a/b/c", 7.0)
    entries = [entry(200, "/a", 30.0, responses=[entry(200, "/a/b", 10.0, responses=[innermost]), entry(200, "/a/d", 20.0)])]

    assert _laid_out(operations, entries) == [("/a", 0, 0, 30), ("/a/b", 1, 30, 40), ("/a/b/c", 2, 40, 47), ("/a/d", 1, 30, 50)]


def test_for_each_children_start_after_their_source_and_its_dependents_after_the_last_of_them() -> None:
    operations = [
        {"name": "list", "path": "/list"},
        {"name": "each", "path": "/${item}", "forEach": "${result=list:$[*]}"},
        {"path": "/after/${result=each:$[0].id}"},
    ]
    children = [entry(200, "/1", 10.0, index=0), entry(200, "/2", 40.0, index=1)]
    entries = [entry(200, "/list", 30.0), entry(200, "/${item}", responses=children), entry(200, "/after", 5.0)]

    assert _laid_out(operations, entries) == [
        ("/list", 0, 0, 30),
        ("/${item}", 0, 30, 70),
        ("/1", 1, 30, 40),
        ("/2", 1, 30, 70),
        ("/after", 0, 70, 75),
    ]


def test_after_waits_for_the_children_too_and_depends_on_does_not() -> None:
    operations: list[dict[str, Any]] = [
        {"name": "a", "path": "/a", "requests": [{"path": "/a/b"}]},
        {"path": "/after", "after": ["a"]},
        {"path": "/needs", "dependsOn": ["a"]},
        {"path": "/reads/${status=a}", "after": ["a"]},
    ]
    entries = [
        entry(200, "/a", 30.0, responses=[entry(200, "/a/b", 20.0)]),
        entry(200, "/after", 1.0),
        entry(200, "/needs", 1.0),
        entry(200, "/reads", 1.0),
    ]

    assert _laid_out(operations, entries)[2:] == [("/after", 0, 50, 51), ("/needs", 0, 30, 31), ("/reads", 0, 50, 51)]


def test_what_was_not_sent_takes_no_time_and_stands_where_that_was_decided() -> None:
    operations = [{"name": "a", "path": "/a"}, {"path": "/b/${result=a:$.id}"}]

    assert _laid_out(operations, [entry(404, "/a", 30.0), entry(424, "/b")])[1] == ("/b", 0, 30, 30)


def test_an_envelope_that_does_not_fit_the_answer_loses_no_entry() -> None:
    operations: list[Any] = ["not an operation"]

    assert _laid_out(operations, [entry(200, "/a", 3.0), entry(200, "/b", 4.0)]) == [("/a", 0, 0, 3), ("/b", 0, 0, 4)]


def test_a_circle_is_laid_out_without_complaint() -> None:
    operations = [{"name": "a", "path": "/a", "after": ["b"]}, {"name": "b", "path": "/b", "after": ["a"]}]

    assert len(_laid_out(operations, [entry(200, "/a", 3.0), entry(200, "/b", 4.0)])) == 2


def test_time_apart_counts_each_request_once_and_no_waiting() -> None:
    children = [entry(200, "/1", 10.0, index=0), entry(200, "/2", 40.0, index=1, queued=15.0)]
    entries = [
        entry(200, "/a", 30.0, responses=[entry(200, "/a/b", 20.0)]),
        entry(200, "/each", 40.0, responses=children),
        entry(200, "/a", 30.0, coalesced=True),
        entry(424, "/b"),
    ]

    assert time_apart(read_answer(207, {}, {"responses": entries, "duration": 90})) == pytest.approx(0.085)
