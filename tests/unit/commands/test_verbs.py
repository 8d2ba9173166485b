import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.commands import VERBS, main

ROOT = Path(__file__).resolve().parents[3]


def test_the_verbs() -> None:
    assert set(VERBS) == {"serve", "check", "schema", "routes", "plan", "run", "jobs", "demo", "version"}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "gateway: say what to do: serve, check, schema, routes, plan, run, jobs, demo, version"),
        (["chek"], "gateway: 'chek' is not a verb (did you mean \"check\"?)"),
        (["xyz"], "gateway: 'xyz' is not a verb"),
        (["--config", "f", "serve"], "gateway: the verb comes first: gateway serve …"),
        (["check"], "gateway check: the following arguments are required: -c/--config"),
        (["check", "--conf", "f"], "gateway check: the following arguments are required: -c/--config"),
        (["version", "extra"], "gateway version: unrecognized arguments: extra"),
    ],
)
def test_a_wrong_command_line_has_status_2(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[0] == message


@pytest.mark.parametrize("verb", ["", "check", "schema", "routes", "plan", "jobs", "version"])
def test_help_has_examples_and_fits_80_columns(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*verb.split(), "--help"]) == 0
    screen = capsys.readouterr().out
    assert f"\nexamples:\n  gateway {verb}" in screen
    assert max(map(len, screen.splitlines())) <= 80


def run(*argv: str, **options: object) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "gateway", *argv]
    environ = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


def test_a_verb_imports_only_what_it_needs() -> None:
    code = "import sys; from gateway.commands import main; main(['version']); print(sorted(sys.modules), file=sys.stderr)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not {"'aiohttp'", "'pydantic'", "'yaml'", "'asyncio'"} & set(process.stderr.strip("[]\n").split(", "))


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = run("schema", stdout=writer)
    os.close(writer)
    _, complaint = process.communicate()
    assert (process.returncode, complaint) == (128 + signal.SIGPIPE, b"")


@pytest.mark.parametrize("argv", [["schema"], ["version"], ["jobs", "key"]])
def test_a_full_disk_is_told_in_one_line(argv: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        _, complaint = (process := run(*argv, stdout=full)).communicate()
    assert (process.returncode, complaint) == (1, b"gateway: cannot write standard output: No space left on device\n")


def test_ctrl_c_ends_it_quietly(tmp_path: Path) -> None:
    fifo = tmp_path / "gateway.yaml"
    os.mkfifo(fifo)
    process = run("check", "--config", str(fifo), stdout=subprocess.PIPE)
    with fifo.open("wb"):  # opens only once the process reads, so the process is at work by now
        process.send_signal(signal.SIGINT)
        screen, complaint = process.communicate()
    assert (process.returncode, screen, complaint) == (128 + signal.SIGINT, b"", b"")
