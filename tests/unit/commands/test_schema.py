import json

import pytest

from gateway.commands import main
from gateway.config.schema import make_schema


def test_it_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    printed = capsys.readouterr().out
    assert printed == make_schema()
    assert json.loads(printed)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
