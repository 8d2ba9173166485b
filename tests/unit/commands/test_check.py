import io
import json
import sys
from pathlib import Path

import pytest

from gateway.commands import main

VALID = "upstreams:\n  a:\n    url: http://a\n    routes: [/a, /b]\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("gateway.yaml")


def test_a_valid_file_is_told_in_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(VALID)
    assert main(["check", "--config", "gateway.yaml"]) == 0
    assert capsys.readouterr() == ("gateway.yaml is valid: 1 upstream, 2 routes\n", "")


def test_every_problem_is_a_line_and_the_status_is_1(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(VALID + "log: {level: loud}\nlimits: {timeout: 0}\n")
    assert main(["check", "-c", "gateway.yaml"]) == 1
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out == (
        'gateway.yaml:5:14: log.level must be one of debug, info, warning, error, got "loud"\n'
        "gateway.yaml:6:19: limits.timeout must be positive, got 0\n"
        "gateway.yaml has 2 problems\n"
    )


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff")))
    assert main(["check", "--config", "-"]) == 1
    assert capsys.readouterr().out == "<stdin>:1:1: the file must be UTF-8, got the byte 0xff\n<stdin> has 1 problem\n"


def test_a_file_that_is_not_there(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(file)]) == 1
    assert capsys.readouterr().out.splitlines()[0] == "gateway.yaml: cannot be read: No such file or directory"


def test_variables_come_from_the_environment(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(VALID + "server: {port: '${PORT}'}\n")
    monkeypatch.setenv("PORT", "8081")
    assert main(["check", "--config", str(file)]) == 0
    monkeypatch.delenv("PORT")
    assert main(["check", "--config", str(file)]) == 1
    assert "needs the environment variable PORT" in capsys.readouterr().out


def test_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(VALID)
    assert main(["check", "--config", str(file), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": "gateway.yaml", "valid": True, "problems": []}

    file.write_text(VALID + "admin: {port: x}\n")
    assert main(["check", "--config", str(file), "--format", "json"]) == 1
    problem = {
        "file": "gateway.yaml",
        "line": 5,
        "column": 15,
        "path": "admin.port",
        "message": 'must be a whole number, got "x"',
    }
    assert json.loads(capsys.readouterr().out) == {"file": "gateway.yaml", "valid": False, "problems": [problem]}


def test_github_annotations(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = file.with_name("50%,a:b.yaml")
    odd.write_text(VALID + "admin: {host: '100%'}\n")
    assert main(["check", "--config", str(odd), "--format", "github"]) == 1
    assert capsys.readouterr().out == (
        "::error file=50%25%2Ca%3Ab.yaml,line=5,col=15::"
        'admin.host must be a host name or an IP address such as 127.0.0.1, got "100%25"\n'
    )
