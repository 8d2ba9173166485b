"""`gateway serve`: take batches until told to stop.

SIGTERM or SIGINT: drain, then end with status 0. A second one: end at once, with status 1. SIGHUP: a note in the log.
"""

import argparse
import asyncio
import signal
import sys
from importlib import import_module
from importlib.util import find_spec

from gateway.app import GOODBYE, Addresses, App, CannotListen, open_logs
from gateway.commands.configuration import add_config_option, load_named
from gateway.config.problems import ConfigurationError
from gateway.config.settings import Settings
from gateway.logs import Logs

# uvloop is not built for every platform; asyncio's own loop is slower and does the same.
LOOPS = "uvloop" if find_spec("uvloop") else "asyncio"

EPILOG = """\
examples:
  gateway serve --config gateway.yaml
  gateway serve --config gateway.yaml | jq .      (the log is JSON unless it goes to a terminal)

SIGTERM or Ctrl-C ends it gracefully, a second one at once"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command to `parser`."""
    parser.epilog = EPILOG
    add_config_option(parser)


def main(arguments: argparse.Namespace) -> int:
    """0 after a graceful end, 1 if it could not start or was ended at once."""
    try:
        settings = load_named(arguments.config)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    logs = open_logs(settings.log)
    logs.take_library_lines()
    try:
        with asyncio.Runner(loop_factory=import_module(LOOPS).new_event_loop) as runner:
            return runner.run(serve(settings, logs))
    except (CannotListen, ValueError) as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 1
    finally:
        logs.close()


async def serve(settings: Settings, logs: Logs) -> int:
    """Run a gateway until a signal ends it; the exit status. Raises CannotListen, or ValueError for a file it cannot use."""
    signals = Signals(logs)
    app = App(settings, logs)
    patience = 0.0
    try:
        tell(await app.start(), logs)
        await signals.stop.wait()
        if await signals.run_unless_hurried(app):
            patience = GOODBYE
            return 0
        return 1
    finally:
        await app.close(patience)
        logs.info("stopped")


class Signals:
    """What the process has been told."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self._hurry = asyncio.Event()
        self.stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, number)
        loop.add_signal_handler(signal.SIGHUP, self._explain_reload)

    async def run_unless_hurried(self, app: App) -> bool:
        """Drain; False if a second signal came before it was done."""
        draining = asyncio.ensure_future(app.drain())
        hurry = asyncio.ensure_future(self._hurry.wait())
        await asyncio.wait((draining, hurry), return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if draining.done():
            draining.result()
            return True
        draining.cancel()
        self._logs.warning("stopping-at-once")
        return False

    def _end(self, number: signal.Signals) -> None:
        self._logs.info("signal", name=number.name)
        (self._hurry if self.stop.is_set() else self.stop).set()

    def _explain_reload(self) -> None:
        self._logs.warning("signal", name="SIGHUP", detail="the configuration is read at the start only: restart the gateway")


def tell(addresses: Addresses, logs: Logs) -> None:
    """Say where it listens; on a terminal, what to try."""
    logs.info("listening", public=addresses.public, admin=addresses.admin)
    if sys.stdout.isatty():
        body = '{"requests": [{"path": "/"}]}'
        sys.stderr.write(f"\ntry: curl -s {addresses.public}/batch -H 'content-type: application/json' -d '{body}'\n\n")
