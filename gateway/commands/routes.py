"""`gateway routes`: which upstream serves which paths, the longest prefix first, as requests find them."""

import argparse
import sys
from collections.abc import Iterable

from gateway.batch.routes import METHODS, Route
from gateway.commands.configuration import add_config_option, load_named
from gateway.config.problems import ConfigurationError
from gateway.config.settings import Settings
from gateway.config.units import format_duration

EPILOG = """\
examples:
  gateway routes --config gateway.yaml
  gateway routes --config gateway.yaml --path /users/1

The longest prefix of whole path segments serves a path. Where two upstreams
have the same prefix, an operation has to name the one it wants."""

TITLES = ("PREFIX", "UPSTREAM", "URL", "TIMEOUT", "RETRIES", "METHODS")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command to `parser`."""
    parser.epilog = EPILOG
    add_config_option(parser)
    parser.add_argument("--path", type=read_path, help="show only what serves this path, such as /users/1")


def main(arguments: argparse.Namespace) -> int:
    """0, or 1 for a configuration with problems or a path that nothing serves."""
    try:
        settings = load_named(arguments.config)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    table = settings.route_table()
    routes = table.routes if arguments.path is None else table.look_up(arguments.path)
    if not routes:
        sys.stderr.write(f"no route serves {arguments.path}\n")
        return 1
    sys.stdout.write(draw_table([TITLES, *(describe(route, settings) for route in sort_routes(routes))]))
    return 0


def read_path(text: str) -> str:
    """The path of a target, without its query. Raises argparse's error for anything else."""
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"a path begins with /, got {text!r}")
    return text.partition("?")[0]


def sort_routes(routes: Iterable[Route]) -> list[Route]:
    """Longest prefix first, as look-ups prefer them; then by name."""
    return sorted(routes, key=lambda route: (-route.prefix.rstrip("/").count("/"), route.prefix, route.upstream))


def describe(route: Route, settings: Settings) -> tuple[str, ...]:
    """One row of the table."""
    upstream = settings.upstreams[route.upstream]
    methods = [method for method in METHODS if method in route.methods]
    return (
        route.prefix,
        route.upstream,
        upstream.url,
        format_duration(route.timeout),
        str(upstream.retries),
        "any" if len(methods) == len(METHODS) else " ".join(methods),
    )


def draw_table(rows: list[tuple[str, ...]]) -> str:
    """The rows as lines, each column as wide as its longest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)
