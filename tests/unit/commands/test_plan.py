import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.commands import main
from gateway.commands.plan import draw
from gateway.commands.screen import Screen

CONFIG = """\
upstreams:
  users: {url: "http://users:8080", routes: [/users]}
  orders: {url: "http://orders:8080", routes: [/orders]}
limits: {body: 1KiB}
"""
BATCH = {
    "requests": [
        {"name": "note", "method": "POST", "path": "/orders/notes", "after": ["lines"], "body": {"by": "${result=user:$.id}"}},
        {"name": "user", "path": "/users/42", "requests": [{"path": "/users/42/photo"}]},
        {"name": "lines", "path": "/orders/${item:$.id}", "forEach": "${result=user:$.orders[*]}"},
    ]
}


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "gateway.yaml"
    path.write_text(CONFIG)
    return str(path)


@pytest.fixture
def batch(tmp_path: Path) -> str:
    return write(tmp_path, BATCH)


def write(folder: Path, envelope: Any) -> str:
    path = folder / "batch.json"
    path.write_text(envelope if isinstance(envelope, str) else json.dumps(envelope))
    return str(path)


def test_the_plan_is_drawn_by_stages(config: str, batch: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", batch, "--config", config]) == 0
    operations, limits = capsys.readouterr().out.split("\nlimits\n")
    assert operations == (
        "stage 1\n"
        "  user                  users   GET /users/42\n"
        "stage 2\n"
        "  /requests/1/requests  users   GET /users/42/photo\n"
        "                        needs user\n"
        "  lines                 orders  GET /orders/${item:$.id}\n"
        "                        needs user; for each of ${result=user:$.orders[*]}\n"
        "stage 3\n"
        "  note                  orders  POST /orders/notes\n"
        "                        needs user; after lines\n"
    ).replace("/requests/1/requests ", "/requests/1/request… " if "…" in operations else "/requests/1/request~ ")
    assert "  operations              4 of 50\n  dependencyDepth         3 of 10\n" in limits


def test_json_is_what_the_server_answers(config: str, batch: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", batch, "--config", config, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["stage"], one["dependsOn"]) for one in plan["operations"]] == [
        ("note", 3, ["user"]),
        ("user", 1, []),
        ("lines", 2, ["user"]),
    ]
    assert plan["limits"]["body"] == {"used": len(json.dumps(BATCH)), "max": 1024}


def test_an_envelope_comes_from_standard_input(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"requests": [{"path": "/users/1"}]}')))
    assert main(["plan", "-", "--config", config]) == 0
    assert "GET /users/1" in capsys.readouterr().out


def test_a_batch_that_would_be_refused_says_why_and_where(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = write(tmp_path, '{"requests": [\n  {"path": "/nowhere"},\n  {"path": "/users", "dependsOn": ["a"]}]}')
    assert main(["plan", batch, "--config", config]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"{batch}:2:12  /requests/0/path" in err.replace("\n", " ") or "2:12" in err
    assert "unknown-upstream: no upstream serves '/nowhere'" in err
    assert "invalid-reference: there is no operation named 'a'" in err


def test_a_refusal_as_json_is_problem_details(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", write(tmp_path, {"requests": []}), "--config", config, "--json"]) == 1
    problem = json.loads(capsys.readouterr().out)
    assert (problem["status"], problem["reason"], problem["errors"][0]["pointer"]) == (422, "invalid-envelope", "/requests")


def test_a_batch_that_is_too_large_would_be_refused(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", write(tmp_path, {"requests": ["x" * 1024]}), "--config", config, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["reason"] == "payload-too-large"


def test_problems_of_the_configuration_have_status_1(batch: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "f.yaml").write_text("upstreams: {}")
    assert main(["plan", batch, "--config", str(tmp_path / "f.yaml")]) == 1
    assert capsys.readouterr() == ("", f"{tmp_path}/f.yaml:1:1: upstreams must name at least one upstream\n")


def test_an_envelope_that_cannot_be_read_has_status_2(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "missing.json", "--config", config]) == 2
    assert capsys.readouterr() == ("", "gateway plan: cannot read missing.json: No such file or directory\n")


def test_standard_input_is_one_thing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "-", "--config", "-"]) == 2
    assert "not both" in capsys.readouterr().err


@pytest.mark.parametrize("width", [24, 40, 80, 200])
def test_no_line_of_an_operation_is_wider_than_the_screen(width: int) -> None:
    operation = {"pointer": "/requests/0", "method": "GET", "path": "/users/" + "x" * 300, "upstream": "u" * 60, "stage": 1}
    waits = {"name": "n" * 100, "dependsOn": ["a" * 100], "after": []}
    lines = draw({"operations": [operation | waits], "limits": {"body": {"used": 1, "max": 2}}}, Screen(width))
    assert max(map(len, lines)) <= width


def test_what_comes_near_a_limit_stands_out() -> None:
    limits = {"operations": {"used": 45, "max": 50}, "name": {"used": 3, "max": 128}}
    lines = draw({"operations": [], "limits": limits}, Screen(80, colour=True))
    assert [line for line in lines if "\x1b[33m" in line] == ["\x1b[33m  operations  45 of 50\x1b[0m"]
