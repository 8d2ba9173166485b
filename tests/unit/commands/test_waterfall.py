"""The waterfall, row by row."""

from typing import Any

import pytest

from gateway.client.answer import BatchAnswer, read_answer
from gateway.client.timeline import lay_out
from gateway.commands.screen import Screen, columns_of
from gateway.commands.waterfall import draw, spell_time
from tests.support.canned import entry, problem

_ENVELOPE: dict[str, Any] = {
    "requests": [
        {"name": "user", "path": "/users/42", "requests": [{"name": "preferences", "path": "/users/42/preferences"}]},
        {"name": "orders", "path": "/orders?customer=${result=user:$.id}"},
        {"name": "lines", "path": "/orders/${item:$.id}/lines", "forEach": "${result=orders:$.items[*]}"},
        {"path": "/orders/${result=orders:$.items[1].id}/shipment", "name": "shipment"},
        {"name": "parcel", "path": "/notes/${result=shipment:$.tracking}"},
        {"method": "POST", "path": "/notes", "after": ["lines"], "body": {}},
    ]
}
_RESPONSES = [
    entry(200, "/users/42", 40.0, name="user", responses=[entry(200, "/users/42/preferences", 60.0, name="preferences")]),
    entry(200, "/orders?customer=42", 80.0, name="orders", queued=20.0),
    entry(
        207,
        "/orders/${item:$.id}/lines",
        name="lines",
        responses=[
            entry(200, "/orders/1001/lines", 40.0, index=0),
            entry(503, "/orders/1002/lines", 0.4, index=1, error=problem("circuit-open", "orders is left alone")),
        ],
    ),
    entry(404, "/orders/1002/shipment", 20.0, name="shipment"),
    entry(424, "/notes/${result=shipment:$.tracking}", name="parcel", error=problem("dependency-failed", "shipment failed")),
    entry(201, "/notes", 40.0, method="POST"),
]


def _answer(responses: list[dict[str, Any]], duration: float) -> BatchAnswer:
    return read_answer(207, {}, {"responses": responses, "duration": duration})


def _drawn(screen: Screen) -> list[str]:
    answer = _answer(_RESPONSES, 200.0)
    return [line.rstrip() for line in draw(lay_out(_ENVELOPE, answer), answer, screen)]


def test_rows_stand_in_the_order_asked_with_bars_where_they_ran() -> None:
    assert _drawn(Screen(80)) == [
        "✓ user                     200 ████████                                    40 ms",
        "✓   preferences            200         ████████████                        60 ms",
        "✓ orders                   200         ░░░░████████████                    80 ms",
        "! lines                    207                         ────────            40 ms",
        "✓   [0] /orders/1001/lines 200                         ████████            40 ms",
        "✗   [1] /orders/1002/lines 503                         █                  0.4 ms",
        "    circuit-open: orders is left alone",
        "✗ shipment                 404                         ████                20 ms",
        "  Not Found, answered by the upstream",
        "✗ parcel                   424                                          not sent",
        "  dependency-failed: shipment failed",
        "✓ POST /notes              201                                 ████████    40 ms",
        "",
        "9 operations in 200 ms; one after another they would have taken 260 ms",
        "3 of 9 failed",
        "░ waiting to be sent",
    ]


def test_ascii_stands_in_where_blocks_cannot_be_written() -> None:
    lines = _drawn(Screen(60, unicode=False))

    assert all(line.isascii() for line in lines)
    assert lines[2] == "  orders                   200     ..######            80 ms"
    assert lines[7].startswith("x shipment ")


@pytest.mark.parametrize("width", [24, 30, 40, 60, 80, 132])
@pytest.mark.parametrize("unicode", [True, False])
def test_no_line_is_wider_than_the_screen(width: int, unicode: bool) -> None:
    lines = _drawn(Screen(width, unicode=unicode))

    assert max(columns_of(line) for line in lines) <= width
    rows = lines[: lines.index("")]
    for label in ("user", "pre", "orders", "lines", "[0]", "[1]", "ship", "par", "POST"):
        assert any(row[2:].lstrip().startswith(label) for row in rows)


def test_colour_changes_nothing_but_colour() -> None:
    import re

    coloured = _drawn(Screen(80, colour=True))

    assert coloured != _drawn(Screen(80))
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in coloured] == _drawn(Screen(80))


def test_names_and_details_cannot_steer_the_terminal() -> None:
    answer = _answer([entry(424, "/a", name="a\x1b[2J", error=problem("stopped", "line\x1b[1A"))], 1.0)

    text = "\n".join(draw(lay_out({"requests": [{"path": "/a"}]}, answer), answer, Screen(80)))

    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("responses", "duration", "closing"),
    [
        ([entry(200, "/a", 62.0)], 63.0, "1 operation in 63 ms"),
        (
            [entry(200, "/a", 62.0), entry(200, "/b", 50.0)],
            62.4,
            "2 operations in 62 ms; one after another they would have taken 112 ms",
        ),
        ([entry(200, "/a", 30.0), entry(200, "/b", 30.0)], 64.0, "2 operations in 64 ms; 60 ms of it were the upstreams'"),
        ([], 0.0, "0 operations in 0.0 ms; 0.0 ms of it were the upstreams'"),
    ],
)
def test_the_closing_line_compares_with_one_after_another(
    responses: list[dict[str, Any]], duration: float, closing: str
) -> None:
    answer = _answer(responses, duration)

    assert draw(lay_out({"requests": []}, answer), answer, Screen(80))[-1] == closing


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0004, "0.4 ms"), (0.00994, "9.9 ms"), (0.00996, "10 ms"), (0.999, "999 ms"), (1.2345, "1.23 s")]
)
def test_times_are_spelled_as_people_read_them(seconds: float, text: str) -> None:
    assert spell_time(seconds) == text
