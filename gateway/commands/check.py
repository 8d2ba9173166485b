"""`gateway check`: every mistake in a configuration at once. Starts nothing, connects to nothing and resolves no names."""

import argparse
import dataclasses
import json
import sys

from gateway.commands.configuration import add_config_option, load_named, name_source
from gateway.config.problems import ConfigProblem, ConfigurationError
from gateway.config.settings import Settings

EPILOG = """\
examples:
  gateway check --config gateway.yaml
  gateway check --config - < gateway.yaml
  gateway check --config gateway.yaml --format github   (annotates a workflow)

Every problem is one line on standard output: file:line:col: path message"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command to `parser`."""
    parser.epilog = EPILOG
    add_config_option(parser)
    parser.add_argument("--format", choices=["text", "json", "github"], default="text", help="default: text")


def main(arguments: argparse.Namespace) -> int:
    """0 for a valid configuration, 1 for one with problems."""
    source = name_source(arguments.config)
    try:
        settings = load_named(arguments.config)
    except ConfigurationError as error:
        sys.stdout.write(draw_problems(source, error.problems, arguments.format))
        return 1
    sys.stdout.write(draw_success(source, settings, arguments.format))
    return 0


def draw_problems(source: str, problems: tuple[ConfigProblem, ...], style: str) -> str:
    """What to print for a configuration with problems."""
    match style:
        case "json":
            found = [dataclasses.asdict(problem) for problem in problems]
            return json.dumps({"file": source, "valid": False, "problems": found}, indent=2, ensure_ascii=False) + "\n"
        case "github":
            return "".join(f"{annotate(problem)}\n" for problem in problems)
        case _:
            lines = [*map(str, problems), f"{source} has {_count(len(problems), 'problem')}"]
            return "".join(f"{line}\n" for line in lines)


def draw_success(source: str, settings: Settings, style: str) -> str:
    """What to print for a valid configuration."""
    if style == "json":
        return json.dumps({"file": source, "valid": True, "problems": []}, indent=2, ensure_ascii=False) + "\n"
    routes = sum(len(upstream.routes) for upstream in settings.upstreams.values())
    return f"{source} is valid: {_count(len(settings.upstreams), 'upstream')}, {_count(routes, 'route')}\n"


def annotate(problem: ConfigProblem) -> str:
    """A workflow command that GitHub shows at the line."""
    message = f"{problem.path} {problem.message}" if problem.path else problem.message
    place = f",line={problem.line},col={problem.column}" if problem.line else ""
    return f"::error file={_escape(problem.file, ':,')}{place}::{_escape(message)}"


def _escape(text: str, also: str = "") -> str:
    return "".join(f"%{ord(character):02X}" if character in f"%\r\n{also}" else character for character in text)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
