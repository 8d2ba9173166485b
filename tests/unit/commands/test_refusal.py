"""A refusal on the screen: what is wrong, and where in the file."""

from gateway.client.refused import GatewayRefused
from gateway.commands.refusal import explain
from gateway.commands.screen import Screen, columns_of

_TEXT = """{"requests": [
  {"name": "a", "path": "/a"},
  {"name": "a", "pth": "/b"}
]}"""

_PROBLEM: dict[str, object] = {
    "title": "The batch is not valid",
    "detail": "2 problems; the first: a is used twice",
    "reason": "invalid-envelope",
    "errors": [
        {"pointer": "/requests/1/name", "reason": "duplicate-name", "detail": "a is used twice"},
        {"pointer": "/requests/1/pth", "reason": "invalid-envelope", "detail": "unknown field; did you mean path?"},
    ],
}


def _explained(problem: dict[str, object], text: str = _TEXT, width: int = 80) -> list[str]:
    return "\n".join(explain(GatewayRefused(422, problem), "batch.json", text, Screen(width))).split("\n")


def test_every_error_is_told_with_its_place_and_its_line() -> None:
    assert [line.rstrip() for line in _explained(_PROBLEM)] == [
        "The batch is not valid (422)",
        "2 problems; the first: a is used twice",
        "",
        "batch.json:3:12  /requests/1/name",
        "  duplicate-name: a is used twice",
        '  3 |   {"name": "a", "pth": "/b"}',
        "                 ^",
        "",
        "batch.json:3:24  /requests/1/pth",
        "  invalid-envelope: unknown field; did you mean path?",
        '  3 |   {"name": "a", "pth": "/b"}',
        "                             ^",
    ]


def test_one_error_is_not_told_twice() -> None:
    error = {"pointer": "", "reason": "invalid-envelope", "detail": "requests is missing"}

    lines = _explained({"title": "The batch is not valid", "detail": "requests is missing", "errors": [error]}, "{}")

    assert [line.strip() for line in lines] == [
        "The batch is not valid (422)",
        "",
        "batch.json:1:1",
        "invalid-envelope: requests is missing",
        "1 | {}",
        "^",
    ]


def test_a_long_line_is_cut_round_the_place_and_nothing_is_wider_than_the_screen() -> None:
    operations = ",".join(f'{{"path":"/a/{number}"}}' for number in range(100))
    text = f'{{"requests":[{operations},{{"path":"http://elsewhere"}}]}}'
    error = {"pointer": "/requests/100/path", "reason": "path-not-allowed", "detail": "a path begins with /, " * 5}

    lines = _explained({"title": "The path is not allowed", "errors": [error]}, text, width=60)

    assert all(columns_of(line) <= 60 for line in lines)
    caret = lines[-1].index("^")
    assert lines[-2][caret:].startswith('"http://elsewhere"')


def test_a_refusal_without_errors_is_its_title_and_detail() -> None:
    assert _explained({"title": "The gateway is overloaded", "detail": "try again later"}) == [
        "The gateway is overloaded (422)",
        "try again later",
    ]


def test_an_error_whose_place_cannot_be_found_is_told_without_a_line() -> None:
    error = {"pointer": "nowhere", "reason": "invalid-envelope", "detail": "odd"}

    assert _explained({"title": "No", "errors": [error]})[2:] == ["batch.json  nowhere", "  invalid-envelope: odd"]
