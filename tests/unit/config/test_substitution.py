from pathlib import Path

import pytest

from gateway.config.problems import Wrong
from gateway.config.substitution import Surroundings, substitute

ENVIRON = {"NAME": "value", "EMPTY": "", "TRICK": "${NAME}", "LINES": "a: b\n- c"}


def fill(text: str, folder: Path = Path()) -> str:
    return substitute(text, Surroundings(ENVIRON, folder))


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${NAME}", "value"),
        ("${env:NAME}", "value"),
        ("http://${NAME}:${NAME}", "http://value:value"),
        ("${NAME:-other}", "value"),
        ("${MISSING:-other}", "other"),
        ("${EMPTY:-other}", "other"),
        ("${MISSING:-}", ""),
        ("${env:MISSING:-a:b}", "a:b"),
        ("${EMPTY}", ""),
        ("${NAME:?needed}", "value"),
        ("$${NAME}", "${NAME}"),
        ("$$ $NAME $", "$$ $NAME $"),
        ("${TRICK}", "${NAME}"),
        ("${LINES}", "a: b\n- c"),
    ],
)
def test_forms(text: str, filled: str) -> None:
    assert fill(text) == filled


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("${MISSING}", "needs the environment variable MISSING, which is not set"),
        ("${MISSING:?ask the platform team}", "needs the environment variable MISSING: ask the platform team"),
        ("${EMPTY:?}", "needs the environment variable EMPTY: it is not set or empty"),
        ("${NAME", "has a ${ that is never closed"),
        ("${NAME-x}", "has ${NAME-x}, which is not understood"),
        ("${1}", "has ${1}, which is not understood"),
        ("${}", "has ${}, which is not understood"),
        ("${file:absent}", 'needs the file "absent", which cannot be read: No such file or directory'),
        ("${file:\0}", "which cannot be read: not a usable path"),
    ],
)
def test_refusals(text: str, because: str) -> None:
    with pytest.raises(Wrong) as refused:
        fill(text)
    assert because in refused.value.message


def test_a_file_is_read_from_the_folder_without_its_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"first\nsecond\r\n")
    assert fill("Bearer ${file:token}", tmp_path) == "Bearer first\nsecond"
    assert fill(f"${{file:{tmp_path}/token}}") == "first\nsecond"


@pytest.mark.parametrize(("content", "because"), [(b"hush\xff", "not UTF-8"), (b"hush" * 300_000, "larger than 1MiB")])
def test_a_file_that_cannot_be_used_is_named_and_not_shown(tmp_path: Path, content: bytes, because: str) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(Wrong, match=because) as refused:
        fill("${file:token}", tmp_path)
    assert "hush" not in str(refused.value)
    assert refused.value.__cause__ is None
