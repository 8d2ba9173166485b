"""Which media type an Accept asks for."""

import pytest

from gateway.dialects.accepted import choose

OFFERED = ("application/json", "application/x-ndjson", "text/event-stream")
JSON, LINES, EVENTS = OFFERED


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/html, */*;q=0.8", JSON),
        ("text/html", JSON),
        ("application/x-ndjson", LINES),
        ("Application/X-NDJSON ; charset=utf-8", LINES),
        ("text/event-stream", EVENTS),
        ("text/*", EVENTS),
        ("application/x-ndjson, */*", LINES),
        ("*/*, text/event-stream", EVENTS),
        ("application/json, text/event-stream", JSON),
        ("text/event-stream, application/json", EVENTS),
        ("application/json;q=0.5, application/x-ndjson;q=0.9", LINES),
        ("application/json, application/x-ndjson;q=0.9", JSON),
        ("application/x-ndjson;q=0.2, */*;q=0.3", JSON),
        ("application/x-ndjson;q=0", JSON),
        ("application/json;q=0, */*", LINES),
        ("application/x-ndjson;q=nan", JSON),
        ("application/x-ndjson;q=2", JSON),
        (";;,,=", JSON),
    ],
)
def test_what_suits_best_is_chosen_and_json_where_nothing_is_better(accept: str, chosen: str) -> None:
    assert choose(accept, OFFERED) == chosen
