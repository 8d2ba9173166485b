import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.commands.files import allow_files
from gateway.config.settings import LimitSettings, Settings
from gateway.config.upstreams import UpstreamSettings
from gateway.logs import LineWriter, Logs


@pytest.fixture
def few_files() -> Iterator[int]:
    """A soft limit of 256 for the time of a test; yields the hard one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def allow(connections: int, log: Path) -> list[dict[str, Any]]:
    written = os.open(log, os.O_CREAT | os.O_WRONLY)
    logs = Logs(LineWriter(written))
    upstreams = {"users": UpstreamSettings(url="http://127.0.0.1:1", routes=["/users"], connections=100)}
    allow_files(Settings(upstreams=upstreams, limits=LimitSettings(connections=connections)), logs)
    logs.close()
    os.close(written)
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_the_limit_is_raised_when_connections_need_it(few_files: int, tmp_path: Path) -> None:
    (line,) = allow(1000, tmp_path / "log")
    assert (line["event"], line["needed"], line["before"], line["now"]) == ("open-files", 1164, 256, few_files)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (few_files, few_files)


def test_the_limit_stays_where_it_is_enough(few_files: int, tmp_path: Path) -> None:
    assert allow(256 - 100 - 64, tmp_path / "log") == []
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (256, few_files)


def test_a_hard_limit_that_is_too_low_is_told(few_files: int, tmp_path: Path) -> None:
    lines = allow(few_files, tmp_path / "log")
    assert [line["level"] for line in lines] == ["info", "warning"]
    assert "raise the hard limit" in lines[1]["detail"]
