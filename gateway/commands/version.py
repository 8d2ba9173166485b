"""`gateway version`: the gateway, and what it runs on."""

import argparse
import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from gateway import __version__
from gateway.execution import dispatch

LIBRARIES = ("aiohttp", "jsonpath-ng", "msgspec", "orjson", "prometheus-client", "pydantic", "PyYAML", "structlog", "uvloop")

EPILOG = """\
examples:
  gateway version
  gateway version --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command to `parser`."""
    parser.epilog = EPILOG
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(arguments: argparse.Namespace) -> int:
    """Always 0."""
    versions = read_versions()
    if arguments.json:
        sys.stdout.write(json.dumps(versions, indent=2) + "\n")
        return 0
    width = max(map(len, versions))
    sys.stdout.write("".join(f"{name:<{width}}  {number}\n" for name, number in versions.items()))
    return 0


def read_versions() -> dict[str, str]:
    """Version by name, the gateway's own first; a library that is not installed is left out.

    `hot-path` is "python", or "compiled" where `make compiled` has turned it into C.
    """
    versions = {"gateway": __version__, "python": platform.python_version()}
    versions["hot-path"] = "python" if dispatch.__file__.endswith(".py") else "compiled"
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    return versions
