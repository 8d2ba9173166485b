"""Make a virtual environment and fill it with pinned packages, unless it already holds exactly those.

    python requirements/install.py .venv requirements/development.txt --project

Run by the interpreter that the environment is to have, with nothing but the standard library. It must parse, and say what
is wrong, on the older Pythons that it turns away (3.6 and later).
"""

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

MINIMUM = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VERSION = ".".join(str(number) for number in sys.version_info[:3])


def main() -> None:
    asked = parse_arguments()
    problem = explain_unfit_interpreter()
    if problem:
        sys.exit(problem)
    folder = ROOT / asked.folder
    if not keeps(folder, asked.chosen):
        print(f"Creating {asked.folder} with Python {VERSION}", flush=True)
        run(base_interpreter(), "-m", "venv", "--clear", str(folder))
        (folder / "interpreter").write_text(describe_interpreter())
    wanted = describe_content(ROOT / asked.requirements, asked.project)
    ready = folder / "ready"
    if read(ready) != wanted:
        print(f"Installing {asked.requirements} into {asked.folder}, once", flush=True)
        ready.write_text("")
        install(folder / "bin" / "python", asked)
        ready.write_text(wanted)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make a virtual environment and fill it with pinned packages.")
    parser.add_argument("folder", help="the environment, below the project's root")
    parser.add_argument("requirements", help="pinned packages with hashes, below the project's root")
    parser.add_argument("--project", action="store_true", help="install this project too, editable")
    parser.add_argument("--chosen", action="store_true", help="asked for by name: replace an environment of another Python")
    return parser.parse_args()


def explain_unfit_interpreter() -> str:
    """What to do when this interpreter cannot serve; empty when it can."""
    needed = ".".join(str(number) for number in MINIMUM)
    if sys.version_info < MINIMUM:
        return (
            f"Python {needed} or later is needed; {sys.executable} is {VERSION}.\n"
            f"Install one (Debian, Ubuntu: apt-get install python{needed} python{needed}-venv) or name one you have: "
            f"make setup PYTHON=/path/to/python{needed}"
        )
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian ships these two apart from Python itself
        import venv  # noqa: F401, PLC0415
    except ImportError:
        package = "python{}.{}-venv".format(*sys.version_info)
        return (
            f"{sys.executable} (Python {VERSION}) lacks venv or ensurepip, which make the project's environment.\n"
            f"Debian, Ubuntu: apt-get install {package}. Or name another Python: make setup PYTHON=/path/to/python{needed}"
        )
    return ""


def keeps(folder: Path, chosen: bool) -> bool:
    """An environment serves on until its interpreter is gone or updated, or another one is asked for by name."""
    if not (folder / "bin" / "python").exists():
        return False
    made_by = read(folder / "interpreter")
    if not made_by:
        return not chosen and made_by_hand(folder)
    same_path = made_by.splitlines()[0] == describe_interpreter().splitlines()[0]
    return made_by == describe_interpreter() or not (chosen or same_path)


def made_by_hand(folder: Path) -> bool:
    """A new enough environment that `python -m venv` made before `make` did is filled, not replaced."""
    fit = f"import sys, pip; sys.exit(sys.version_info < {MINIMUM})"
    return subprocess.run([str(folder / "bin" / "python"), "-c", fit], check=False).returncode == 0


def install(python: Path, asked: argparse.Namespace) -> None:
    pip = (str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    run(*pip, "--require-hashes", "--requirement", str(ROOT / asked.requirements))
    if asked.project:
        # The build backend is one of the pinned packages, so nothing is fetched here.
        run(*pip, "--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))


def describe_interpreter() -> str:
    return f"{Path(base_interpreter()).resolve()}\n{VERSION}\n"


def base_interpreter() -> str:
    """The Python itself when this one runs inside an environment, which may be the one about to be replaced."""
    return getattr(sys, "_base_executable", None) or sys.executable


def describe_content(requirements: Path, project: bool) -> str:
    """Changes whenever the environment must be filled anew. The root is part of it: scripts in bin/ name their folder."""
    parts = [str(ROOT).encode(), requirements.read_bytes()]
    if project:
        parts.append((ROOT / "pyproject.toml").read_bytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest() + "\n"


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def run(*command: str) -> None:
    code = subprocess.run(command, check=False).returncode
    if code:
        sys.exit(f"This failed with exit code {code}: {' '.join(command)}")


if __name__ == "__main__":
    main()
