"""Build the project with its hot path as C and install it into an environment, unless it already holds exactly that.

    .venv-compiled/bin/python requirements/compile.py

Run by the interpreter of the environment, which must hold the pinned packages. The build works on a copy: in the project's own
folder its products would be imported in the place of newer source.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("gateway", "pyproject.toml", "README.md", "LICENSE")
HOOK = "HATCH_BUILD_HOOK_ENABLE_MYPYC"


def main() -> None:
    """Build and install; exits with what is missing when that cannot be done."""
    environment = Path(sys.prefix)
    wanted = describe_source()
    ready = environment / "compiled"
    if ready.exists() and ready.read_text() == wanted:
        return
    problem = explain_missing_compiler()
    if problem:
        sys.exit(problem)
    print(f"Compiling the gateway into {environment.name}: about three minutes", flush=True)
    ready.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
    ready.write_text(wanted)


def describe_source() -> str:
    """Changes whenever the build must be made anew."""
    digest = hashlib.sha256()
    for part in PARTS:
        top = ROOT / part
        for path in sorted(top.rglob("*.py")) if top.is_dir() else [top]:
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest() + "\n"


def explain_missing_compiler() -> str:
    """What to install when C cannot be compiled here; empty when it can."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    header = Path(sysconfig.get_path("include"), "Python.h")
    if shutil.which("cc") and header.exists():
        return ""
    return (
        f"To compile the gateway, a C compiler (cc) and Python's headers ({header}) are needed.\n"
        f"Debian, Ubuntu: apt-get install gcc libc6-dev python{version}-dev.\n"
        "The gateway runs without them too, only slower: make run"
    )


def build(folder: Path) -> None:
    """Copy the source, build a wheel of the copy, install it. Nothing is fetched: the build backend is a pinned package."""
    copy = folder / "source"
    copy.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copy(source, copy / part)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    wheels = folder / "wheels"
    run(*pip, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(copy))
    (wheel,) = wheels.glob("*.whl")
    run(*pip, "install", "--no-index", "--no-deps", "--force-reinstall", str(wheel))


def run(*command: str) -> None:
    """Run a step of the build; exits when it fails."""
    code = subprocess.run(command, check=False, env={**os.environ, HOOK: "true"}).returncode
    if code:
        sys.exit(f"This failed with exit code {code}: {' '.join(command)}")


if __name__ == "__main__":
    main()
