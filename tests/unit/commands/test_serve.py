import os

import pytest

from gateway.commands import main
from gateway.commands.serve import read_workers


def test_auto_is_one_worker_for_each_cpu_there_is() -> None:
    assert read_workers("auto") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("workers", ["0", "257", "-1", "two", "1.5"])
def test_a_number_of_workers_that_cannot_be(workers: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--config", "x", f"--workers={workers}"]) == 2
    assert f"must be auto or a number from 1 to 256, got '{workers}'" in capsys.readouterr().err


def test_help_says_that_limits_are_for_each_worker(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["serve", "--help"]) == 0
    text = capsys.readouterr().out
    assert "are for each worker" in text
    assert max(map(len, text.splitlines())) <= 81
