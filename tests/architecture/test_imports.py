"""The house stands: imports point down, pure rooms stay pure, a third-party library has one home."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GATEWAY = ROOT / "gateway"

AIOHTTP = ("server", "admin", "client", "callbacks", "commands")

HOMES = {
    "aiohappyeyeballs": ("upstreams",),
    "aiohttp": AIOHTTP,
    "aiosqlite": ("storage",),
    "alembic": ("storage",),
    "backports": ("upstreams",),
    "brotli": ("upstreams",),
    "httptools": ("upstreams",),
    "jsonpath_ng": ("batch",),
    "jsonschema_rs": ("batch",),
    "msgspec": ("jsontext.py",),
    "multidict": AIOHTTP,
    "multipart": ("places",),
    "obstore": ("storage",),
    "orjson": ("jsontext.py",),
    "prometheus_client": ("metrics",),
    "pydantic": ("config",),
    "pydantic_core": ("config",),
    "sqlalchemy": ("storage",),
    "standardwebhooks": ("callbacks",),
    "structlog": ("logs.py",),
    "uvloop": ("commands",),
    "yaml": ("config",),
    "yarl": AIOHTTP,
}
"""Library -> the rooms or modules below gateway/ that may import it. Everyone else asks those."""

Import = tuple[str, str]
"""Place in the house, as in HOMES, and the top-level package imported there."""


def read_imports(folder: Path) -> Iterator[Import]:
    for path in sorted(folder.rglob("*.py")):
        place = path.relative_to(folder).parts[0]
        for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
            match node:
                case ast.Import(names=names):
                    yield from ((place, alias.name.partition(".")[0]) for alias in names)
                case ast.ImportFrom(module=str(module)):
                    yield place, module.partition(".")[0]
                case _:
                    pass


def find_strays(imports: Iterator[Import]) -> set[Import]:
    ours = sys.stdlib_module_names | {"gateway"}
    return {(place, library) for place, library in imports if library not in ours and place not in HOMES.get(library, ())}


def test_the_import_contract_holds() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    lint = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert lint.returncode == 0, lint.stdout + lint.stderr


def test_third_party_libraries_stay_at_home() -> None:
    assert find_strays(read_imports(GATEWAY)) == set()


@pytest.mark.parametrize(
    ("place", "text", "strays"),
    [
        ("batch/plan.py", "def late():\n    from orjson import loads", {("batch", "orjson")}),
        ("errors.py", "import left_pad.version", {("errors.py", "left_pad")}),
        ("jsontext.py", "import json, orjson\nfrom gateway.messages import Failure", set()),
    ],
    ids=["another's library, imported late", "a library nobody declared", "at home"],
)
def test_a_library_away_from_home_is_found(tmp_path: Path, place: str, text: str, strays: set[Import]) -> None:
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text(text)
    assert find_strays(read_imports(tmp_path)) == strays
