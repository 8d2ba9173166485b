import json
import platform

import pytest

from gateway import __version__
from gateway.commands import main


def test_versions_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    first, second, *others = capsys.readouterr().out.splitlines()
    assert first.split() == ["gateway", __version__]
    assert second.split() == ["python", platform.python_version()]
    assert any(line.startswith("aiohttp ") for line in others)


def test_versions_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--json"]) == 0
    versions = json.loads(capsys.readouterr().out)
    assert (versions["gateway"], versions["python"]) == (__version__, platform.python_version())
    assert versions["aiohttp"]
    assert versions["hot-path"] in {"python", "compiled"}


def test_the_usual_option_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("gateway ")
