from pathlib import Path

import pytest

from gateway.commands import main

CONFIG = """\
upstreams:
  users: {url: "http://users:8080", routes: [/users, {path: /users/reports, methods: [GET, HEAD]}], timeout: 2s, retries: 0}
  archive: {url: "https://archive", routes: [/users], timeout: 250ms}
  site: {url: "http://site", routes: [/]}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "gateway.yaml").write_text(CONFIG)
    return str(tmp_path / "gateway.yaml")


def test_the_table_has_the_longest_prefix_first(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "--config", file]) == 0
    assert capsys.readouterr().out == (
        "PREFIX          UPSTREAM  URL                TIMEOUT  RETRIES  METHODS\n"
        "/users/reports  users     http://users:8080  2s       0        GET HEAD\n"
        "/users          archive   https://archive    250ms    1        any\n"
        "/users          users     http://users:8080  2s       0        any\n"
        "/               site      http://site        10s      1        any\n"
    )


@pytest.mark.parametrize(
    ("path", "upstreams"),
    [
        ("/users/reports/1?year=2024", ["/users/reports users"]),
        ("/users/1", ["/users archive", "/users users"]),
        ("/usersX", ["/ site"]),
    ],
)
def test_who_serves_a_path(file: str, path: str, upstreams: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "--config", file, "--path", path]) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [" ".join(row.split()[:2]) for row in rows] == upstreams


def test_a_path_that_nothing_serves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "f.yaml").write_text("upstreams: {a: {url: 'http://a', routes: [/a]}}")
    assert main(["routes", "--config", str(tmp_path / "f.yaml"), "--path", "/b"]) == 1
    assert capsys.readouterr() == ("", "no route serves /b\n")


def test_a_path_without_a_slash_is_a_mistake_on_the_command_line(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "--config", file, "--path", "users"]) == 2
    assert "a path begins with /" in capsys.readouterr().err


def test_problems_of_the_configuration_go_to_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "f.yaml").write_text("upstreams: {}")
    assert main(["routes", "--config", str(tmp_path / "f.yaml")]) == 1
    assert capsys.readouterr() == ("", f"{tmp_path}/f.yaml:1:1: upstreams must name at least one upstream\n")
