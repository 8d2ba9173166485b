"""`gateway schema`: the JSON Schema of configuration files."""

import argparse
import sys

from gateway.config.schema import make_schema

EPILOG = """\
examples:
  gateway schema > gateway.schema.json

Editors then check and complete a configuration that begins with:
  # yaml-language-server: $schema=gateway.schema.json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command to `parser`."""
    parser.epilog = EPILOG


def main(_arguments: argparse.Namespace) -> int:
    """Always 0."""
    sys.stdout.write(make_schema())
    return 0
