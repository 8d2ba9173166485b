"""What is installed: pinned packages that fit what is declared, and a wheel that holds every file of the gateway."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
FILES = ["runtime.txt", "development.txt", "servers.txt"]
PIN = re.compile(r"[a-z0-9.-]+==[^ ]+( ; [^\\]+)? \\(\n    --hash=sha256:[0-9a-f]{64}( \\)?)+")


def read_pins(name: str) -> dict[str, str]:
    """Name and marker, as in `uvloop; sys_platform != "win32"`, to the one version that is installed there."""
    lines = (REQUIREMENTS / name).read_text().splitlines()
    pins = [Requirement(line.rstrip("\\ ")) for line in lines if line and line[0] not in " #"]
    return {f"{pin.name}; {pin.marker}": str(pin.specifier).removeprefix("==") for pin in pins}


def read_declared(name: str) -> list[Requirement]:
    """What pyproject.toml asks for in that file."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = {"runtime": declared["project"]["dependencies"], **declared["dependency-groups"]}
    return [Requirement(text) for text in groups[name.removesuffix(".txt")]]


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_pinned_with_hashes_and_no_address(name: str) -> None:
    text = (REQUIREMENTS / name).read_text()
    assert re.findall(r"https?:|--index|--find-links|@ ", text) == []
    heading, *pins = re.split(r"\n(?=[^ #])", text)
    assert all(line.startswith("#") for line in heading.splitlines())
    assert [pin for pin in pins if not PIN.fullmatch(pin.rstrip())] == []


@pytest.mark.parametrize("name", FILES)
def test_pins_satisfy_what_is_declared(name: str) -> None:
    pins = {key.partition(";")[0]: version for key, version in read_pins(name).items()}
    assert [str(need) for need in read_declared(name) if pins.get(canonicalize_name(need.name), "") not in need.specifier] == []


def test_development_runs_with_the_very_packages_of_production() -> None:
    assert read_pins("runtime.txt").items() <= read_pins("development.txt").items()


def test_the_wheel_holds_every_file_of_the_gateway_and_nothing_else(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    built = subprocess.run(build, cwd=ROOT, check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        (entry_points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "gateway = gateway.__main__:main" in archive.read(entry_points).decode()
    sources = {path for path in (ROOT / "gateway").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert packed == {str(path.relative_to(ROOT)) for path in sources}
