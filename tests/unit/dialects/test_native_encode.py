"""Entries, spelled. The corpus has whole answers; here is each rule by itself."""

import json
from typing import Any

import pytest

from gateway.batch.assembly import Entry
from gateway.batch.content import EMPTY, Content, Kind
from gateway.batch.operation import Envelope, Operation
from gateway.batch.results import Finished
from gateway.dialects.native_encode import AGENDIZE, NATIVE, Flavour, encode
from gateway.messages import Failure, Reason

OPERATION = Operation(pointer="/requests/0", path="/users/${status=a}", target=("/users/200",), name="a")


def spell(entry: Entry, flavour: Flavour = NATIVE, show_headers: bool | None = None) -> dict[str, Any]:
    encoded = encode(Envelope((OPERATION,), show_headers=show_headers), (entry,), Finished(1, 0, 0.0, ()), flavour)
    only: dict[str, Any] = json.loads(encoded.body)["responses"][0]
    return only


def test_an_entry_that_was_sent() -> None:
    entry = Entry(OPERATION, 200, "/users/200", (("etag", "v1"),), Content(Kind.JSON, b"{}"), duration=12.3, queued=0.1)
    assert spell(entry) == {
        "name": "a",
        "method": "GET",
        "path": "/users/200",
        "status": 200,
        "headers": {"etag": "v1"},
        "body": {},
        "duration": 12.3,
        "queued": 0.1,
    }


def test_an_entry_that_was_not_sent() -> None:
    failure = Failure(Reason.DEPENDENCY_FAILED, "b failed", cause="b")
    assert spell(Entry(OPERATION, 424, OPERATION.path, failure=failure)) == {
        "name": "a",
        "method": "GET",
        "path": "/users/${status=a}",
        "status": 424,
        "error": {
            "type": "/problems/dependency-failed",
            "title": "An operation this one depends on failed",
            "status": 424,
            "detail": "b failed",
            "reason": "dependency-failed",
            "cause": "b",
        },
    }


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (Content(Kind.JSON, b' {"n": 123456789012345678901} '), {"body": {"n": 123456789012345678901}}),
        (Content(Kind.TEXT, b"\xe9", "é"), {"body": "é"}),
        (Content(Kind.BYTES, b"\x00\xff"), {"body": "AP8=", "bodyEncoding": "base64"}),
        (EMPTY, {"body": None}),
        (None, {}),
    ],
)
def test_a_body_is_spelled_as_what_it_is(content: Content | None, shown: dict[str, Any]) -> None:
    spelled = spell(Entry(OPERATION, 200, "/users/200", content=content))
    assert {key: value for key, value in spelled.items() if key.startswith("body")} == shown


def test_json_is_embedded_with_its_numbers_untouched() -> None:
    entry = Entry(OPERATION, 200, "/users/200", content=Content(Kind.JSON, b"[1.10, 1e2, -0, 0.1000000000000000055]"))
    encoded = encode(Envelope((OPERATION,)), (entry,), Finished(1, 0, 0.0, ()), NATIVE)
    assert b"[1.10, 1e2, -0, 0.1000000000000000055]" in encoded.body


def test_several_lines_of_a_header_are_joined() -> None:
    entry = Entry(OPERATION, 200, "/users/200", (("x-a", "1"), ("etag", "v"), ("x-a", "2")))
    assert spell(entry)["headers"] == {"x-a": "1, 2", "etag": "v"}


@pytest.mark.parametrize(
    ("flavour", "asked", "shown"),
    [(NATIVE, None, True), (NATIVE, False, False), (AGENDIZE, None, False), (AGENDIZE, True, True)],
)
def test_headers_are_shown_by_default_or_when_asked_for(flavour: Flavour, asked: bool | None, shown: bool) -> None:
    assert ("headers" in spell(Entry(OPERATION, 200, "/users/200", (("x-a", "1"),)), flavour, asked)) is shown


def test_a_warning_names_its_reason() -> None:
    content = Content(Kind.TEXT, b"{", "{", Reason.UPSTREAM_INVALID_JSON)
    spelled = spell(Entry(OPERATION, 200, "/users/200", content=content, warning=Reason.UPSTREAM_INVALID_JSON))
    assert spelled["warning"]["reason"] == "upstream-invalid-json"
    assert "error" not in spelled


def test_children_have_their_index_instead_of_the_name() -> None:
    child = Entry(OPERATION, 200, "/users/200", item=3)
    spelled = spell(Entry(OPERATION, 200, OPERATION.path, entries=(child,)))
    assert spelled["responses"] == [{"index": 3, "method": "GET", "path": "/users/200", "status": 200}]


def test_no_children_are_an_empty_list_and_none_are_left_out() -> None:
    assert spell(Entry(OPERATION, 200, OPERATION.path, entries=()))["responses"] == []
    assert "responses" not in spell(Entry(OPERATION, 200, OPERATION.path))


@pytest.mark.parametrize(
    ("failed", "flavour", "status"), [(0, NATIVE, 200), (1, NATIVE, 207), (0, AGENDIZE, 200), (1, AGENDIZE, 200)]
)
def test_the_status_and_headers_of_the_whole(failed: int, flavour: Flavour, status: int) -> None:
    encoded = encode(Envelope(()), (), Finished(3, failed, 0.0417, ()), flavour)
    assert encoded.status == status
    assert dict(encoded.headers) == {"content-type": "application/json", "batch-operations": "3", "batch-failed": str(failed)}


def test_durations_are_milliseconds_and_in_the_seeds_flavour_whole_ones_as_text() -> None:
    entry = Entry(OPERATION, 200, "/users/200", duration=41.7, queued=1.5)
    unsent = Entry(OPERATION, 424, OPERATION.path)
    finished = Finished(2, 1, 0.0417, ())
    native = json.loads(encode(Envelope(()), (entry, unsent), finished, NATIVE).body)
    seed = json.loads(encode(Envelope(()), (entry, unsent), finished, AGENDIZE).body)
    assert (native["duration"], seed["duration"]) == (41.7, "42")
    assert [one.get("duration") for one in native["responses"]] == [41.7, None]
    assert [one.get("duration") for one in seed["responses"]] == ["42", "0"]
    assert [one.get("queued") for one in native["responses"]] == [1.5, None]


def test_the_seeds_flavour_shows_the_path_as_asked() -> None:
    assert spell(Entry(OPERATION, 200, "/users/200"), AGENDIZE)["path"] == "/users/${status=a}"
