"""`gateway serve`: take batches until told to stop.

SIGTERM or SIGINT: drain, then end with status 0. A second one: end at once, with status 1. SIGHUP: a note in the log.
"""

import argparse
import gc
import os
import sys

from gateway.app.app import GOODBYE, open_app, open_logs
from gateway.app.listening import CannotListen
from gateway.commands.announcing import announce
from gateway.commands.configuration import add_config_option, load_named
from gateway.commands.ending import Ending, follow_signals, run_unless
from gateway.commands.files import allow_files
from gateway.commands.loop import run
from gateway.commands.workers.crew import NeverListened
from gateway.commands.workers.private import open_private_file
from gateway.commands.workers.supervise import supervise
from gateway.config.problems import ConfigurationError
from gateway.config.settings import Settings
from gateway.jobs.ports import StorageError
from gateway.logs import Logs

MOST_WORKERS = 256

EPILOG = """\
examples:
  gateway serve --config gateway.yaml
  gateway serve --config gateway.yaml --workers auto
  gateway serve --config gateway.yaml | jq .     (JSON unless to a terminal)

With several workers each is a process with a listener of its own on the same
port, its own connections to upstreams and its own limits: limits.connections,
limits.buffered and upstreams.<name>.connections, queue, retry_budget and breaker
are for each worker. The operators' pages show all as one, and a worker that dies
is replaced. In containers run one worker and more containers.

SIGTERM or Ctrl-C ends it gracefully, a second one at once"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command to `parser`."""
    parser.epilog = EPILOG
    add_config_option(parser)
    parser.add_argument(
        "--workers",
        metavar="N",
        type=read_workers,
        default=1,
        help="how many processes take batches; auto is one for each CPU (default: 1)",
    )


def main(arguments: argparse.Namespace) -> int:
    """0 after a graceful end, 1 if it could not start or was ended at once."""
    try:
        settings = load_named(arguments.config)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if arguments.workers > 1 and settings.jobs.enabled:
        sys.stderr.write(
            f"gateway: one process only may serve the jobs in {settings.jobs.data}: leave out --workers, or switch jobs off"
            f" in {arguments.config}\n"
        )
        return 1
    turn = open_private_file() if arguments.workers > 1 else None
    logs = open_logs(settings.log, turn)
    logs.take_library_lines()
    allow_files(settings, logs)
    try:
        return run(serve(settings, logs) if turn is None else supervise(settings, arguments.workers, turn, logs))
    except (CannotListen, NeverListened, StorageError, ValueError) as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 1
    finally:
        logs.close()


async def serve(settings: Settings, logs: Logs) -> int:
    """Run a gateway until a signal ends it; the exit status.

    Raises CannotListen, StorageError, or ValueError for a file it cannot use.
    """
    ending = Ending()
    follow_signals(ending, logs)
    app = await open_app(settings, logs)
    patience = 0.0
    try:
        listening = await app.start()
        _spare_the_collector()
        announce(listening, logs)
        await ending.stop.wait()
        if await run_unless(ending.hurry, app.drain()):
            patience = GOODBYE
            return 0
        logs.warning("stopping-at-once")
        return 1
    finally:
        await app.close(patience)
        logs.info("stopped")


def _spare_the_collector() -> None:
    """Have it never look again at what is here by now, and stays: to go through all that takes as long as a quick batch."""
    gc.collect()
    gc.freeze()


def read_workers(text: str) -> int:
    """A number of workers, for argparse."""
    if text == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"must be auto or a number from 1 to {MOST_WORKERS}, got {text!r}")
    return int(text)
