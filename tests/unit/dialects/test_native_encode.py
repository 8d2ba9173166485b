"""Entries, spelled. The corpus has whole answers; here is each rule by itself."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.batch.assembly import Entry
from gateway.batch.content import EMPTY, Content, Kind
from gateway.batch.operation import Envelope, Operation
from gateway.batch.results import Finished, Result
from gateway.dialects.native_encode import AGENDIZE, NATIVE, Flavour, encode
from gateway.jsontext import dump
from gateway.messages import Failure, Headers, Outcome, Reason, Response

OPERATION = Operation(pointer="/requests/0", path="/users/${status=a}", target=("/users/200",), name="a")
NO_JSON = Content(Kind.TEXT, b"{", "{", Reason.UPSTREAM_INVALID_JSON)


def sent(headers: Headers = (), queued: float = 0.0, duration: float = 0.0) -> Result:
    """What became of an operation that was answered with 200."""
    return Result(OPERATION, "u", Response(200, headers, b"", queued), EMPTY, "/users/200", 1.0, duration)


def unsent(outcome: Outcome) -> Result:
    """What became of one that was not sent."""
    return Result(OPERATION, "u", outcome, EMPTY)


def spell(entry: Entry, flavour: Flavour = NATIVE, show_headers: bool | None = None) -> dict[str, Any]:
    encoded = encode(Envelope((OPERATION,), show_headers=show_headers), (entry,), Finished(1, 0, 0.0, ()), flavour)
    only: dict[str, Any] = json.loads(encoded.body)["responses"][0]
    return only


def test_an_entry_that_was_sent() -> None:
    result = sent((("etag", "v1"),), queued=0.0001, duration=0.0123)
    assert spell(Entry(result, Content(Kind.JSON, b"{}"))) == {
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
    assert spell(Entry(unsent(failure))) == {
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
    spelled = spell(Entry(sent(), content))
    assert {key: value for key, value in spelled.items() if key.startswith("body")} == shown


def test_json_is_embedded_with_its_numbers_untouched() -> None:
    entry = Entry(sent(), Content(Kind.JSON, b"[1.10, 1e2, -0, 0.1000000000000000055]"))
    encoded = encode(Envelope((OPERATION,)), (entry,), Finished(1, 0, 0.0, ()), NATIVE)
    assert b"[1.10, 1e2, -0, 0.1000000000000000055]" in encoded.body


def test_several_lines_of_a_header_are_joined() -> None:
    entry = Entry(sent((("x-a", "1"), ("etag", "v"), ("x-a", "2"))))
    assert spell(entry)["headers"] == {"x-a": "1, 2", "etag": "v"}


def test_each_entry_has_its_own_headers() -> None:
    shared: Headers = (("etag", "v1"),)
    entries = tuple(Entry(sent(headers)) for headers in (shared, (("etag", "v2"),), shared, ()))
    answer = json.loads(encode(Envelope(()), entries, Finished(4, 0, 0.0, ()), NATIVE).body)
    assert [one.get("headers") for one in answer["responses"]] == [{"etag": "v1"}, {"etag": "v2"}, {"etag": "v1"}, None]


@pytest.mark.parametrize(
    ("flavour", "asked", "shown"),
    [(NATIVE, None, True), (NATIVE, False, False), (AGENDIZE, None, False), (AGENDIZE, True, True)],
)
def test_headers_are_shown_by_default_or_when_asked_for(flavour: Flavour, asked: bool | None, shown: bool) -> None:
    assert ("headers" in spell(Entry(sent((("x-a", "1"),))), flavour, asked)) is shown


def test_a_warning_names_its_reason() -> None:
    spelled = spell(Entry(sent(), NO_JSON, Reason.UPSTREAM_INVALID_JSON))
    assert spelled["warning"]["reason"] == "upstream-invalid-json"
    assert "error" not in spelled


def test_children_have_their_index_instead_of_the_name() -> None:
    child = Result(OPERATION, "u", Response(200, (), b""), EMPTY, "/users/200", item=3)
    parent = unsent(Response(200, (), b""))
    assert spell(Entry(parent, entries=(Entry(child),)))["responses"] == [
        {"index": 3, "method": "GET", "path": "/users/200", "status": 200}
    ]


def test_no_children_are_an_empty_list_and_none_are_left_out() -> None:
    assert spell(Entry(sent(), entries=()))["responses"] == []
    assert "responses" not in spell(Entry(sent()))


@pytest.mark.parametrize(
    ("failed", "flavour", "status"), [(0, NATIVE, 200), (1, NATIVE, 207), (0, AGENDIZE, 200), (1, AGENDIZE, 200)]
)
def test_the_status_and_headers_of_the_whole(failed: int, flavour: Flavour, status: int) -> None:
    encoded = encode(Envelope(()), (), Finished(3, failed, 0.0417, ()), flavour)
    assert encoded.status == status
    assert dict(encoded.headers) == {"content-type": "application/json", "batch-operations": "3", "batch-failed": str(failed)}


def test_durations_are_milliseconds_and_in_the_seeds_flavour_whole_ones_as_text() -> None:
    entry = Entry(sent(queued=0.0015, duration=0.0417))
    lost = Entry(unsent(Failure(Reason.DEPENDENCY_FAILED, "a failed")))
    finished = Finished(2, 1, 0.0417, ())
    native = json.loads(encode(Envelope(()), (entry, lost), finished, NATIVE).body)
    seed = json.loads(encode(Envelope(()), (entry, lost), finished, AGENDIZE).body)
    assert (native["duration"], seed["duration"]) == (41.7, "42")
    assert [one.get("duration") for one in native["responses"]] == [41.7, None]
    assert [one.get("duration") for one in seed["responses"]] == ["42", "0"]
    assert [one.get("queued") for one in native["responses"]] == [1.5, None]


@given(st.floats(0, 1e6))
def test_a_duration_is_rounded_to_a_tenth_of_a_millisecond(seconds: float) -> None:
    shown = spell(Entry(sent(duration=seconds)))["duration"]
    assert len(str(shown).partition(".")[2]) == 1
    assert abs(shown - seconds * 1000) <= 0.05 + 1e-6


def test_the_seeds_flavour_shows_the_path_as_asked() -> None:
    assert spell(Entry(sent()), AGENDIZE)["path"] == "/users/${status=a}"


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
    st.floats(0, 1e6),
    st.sampled_from([Kind.TEXT, Kind.BYTES]),
)
def test_the_spelling_is_that_of_any_other_json_of_ours(text: str, body: bytes, duration: float, kind: Kind) -> None:
    result = sent((("x-a", text), ("x-b", text)), duration=duration)
    encoded = encode(Envelope(()), (Entry(result, Content(kind, body, text)),), Finished(1, 0, 0.0, ()), NATIVE)
    assert encoded.body == dump(json.loads(encoded.body))
