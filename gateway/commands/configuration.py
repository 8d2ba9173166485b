"""The option `--config FILE`, for every verb that reads a configuration."""

import argparse
import os
import sys
from pathlib import Path

from gateway.config.load import load, load_bytes
from gateway.config.settings import Settings

STANDARD_INPUT = "-"


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Describe `--config` to the parser; the name ends up in `arguments.config`."""
    parser.add_argument("-c", "--config", metavar="FILE", required=True, help="the configuration; - is standard input")


def name_source(config: str) -> str:
    """What messages call the configuration."""
    return "<stdin>" if config == STANDARD_INPUT else config


def load_named(config: str) -> Settings:
    """The settings in the file, or on standard input for `-`. Raises ConfigurationError."""
    if config == STANDARD_INPUT:
        return load_bytes(sys.stdin.buffer.read(), name_source(config), os.environ)
    return load(Path(config), os.environ)
