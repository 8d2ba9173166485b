"""Files stay small, are named for what they are, and say nothing that is true on one machine only."""

import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (".ci", "config", "deploy", "docs", "gateway", "requirements", "tests")

LONGEST = 300
"""Lines. A file near it holds two ideas."""

MEDIAN = 150

NAMES_THAT_SAY_NOTHING = {"base", "common", "data", "helper", "helpers", "info", "manager", "misc", "service", "util", "utils"}

# In two halves, so that this file may be searched like any other.
FORBIDDEN = [
    first + second
    for first, second in [
        ("pypi", ".org"),
        ("python", "hosted"),
        ("registry.", "npmjs"),
        ("debian", ".org/debian"),
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("/home", "/runner"),
        ("TO", "DO"),
        ("FIX", "ME"),
    ]
]


def list_texts() -> Iterator[Path]:
    tops = (path for path in ROOT.iterdir() if path.is_file() and path.name not in {".git", ".coverage"})
    inner = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file())
    return (path for path in (*tops, *inner) if "__pycache__" not in path.parts and b"\0" not in path.read_bytes()[:8192])


def count_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_source_files_are_short() -> None:
    sizes = {str(path.relative_to(ROOT)): count_lines(path) for path in (ROOT / "gateway").rglob("*.py")}
    assert {name: size for name, size in sizes.items() if size > LONGEST} == {}
    assert statistics.median(size for size in sizes.values() if size) <= MEDIAN


def test_every_package_says_what_it_is_for() -> None:
    silent = [
        path for path in (ROOT / "gateway").rglob("__init__.py") if not path.read_text(encoding="utf-8").startswith('"""')
    ]
    assert silent == []


def test_names_say_what_a_file_holds() -> None:
    sources = [path for folder in ("gateway", "tests") for path in (ROOT / folder).rglob("*.py")]
    assert [path for path in sources if path.stem in NAMES_THAT_SAY_NOTHING] == []


@pytest.mark.parametrize("word", FORBIDDEN)
def test_no_file_mentions(word: str) -> None:
    assert [str(path.relative_to(ROOT)) for path in list_texts() if word.encode() in path.read_bytes()] == []
