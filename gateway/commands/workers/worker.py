"""A worker: the process's main. Its settings come pickled on standard input, its orders on the channel.

It ignores the signals that a terminal or an init system sends to everybody: the supervisor gets them too, and says what to do.
"""

import asyncio
import pickle
import signal
import socket
import sys

from gateway.app.app import GOODBYE, App, open_logs
from gateway.app.listening import CannotListen
from gateway.commands.ending import Ending, run_unless
from gateway.commands.loop import run
from gateway.commands.workers.channel import Channel, Word
from gateway.config.settings import Settings
from gateway.logs import Logs
from gateway.metrics.merging import dump, take


def main(arguments: list[str]) -> int:
    """0 after a graceful end. `arguments`: its index, and the descriptors of the channel and of the log's turn."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    index, channel, turn = map(int, arguments)
    settings: Settings = pickle.load(sys.stdin.buffer)  # noqa: S301  # our own supervisor's, in a file without a name
    logs = open_logs(settings.log, turn, worker=index)
    logs.take_library_lines()
    try:
        return run(work(settings, socket.socket(fileno=channel), logs))
    finally:
        logs.close()


async def work(settings: Settings, end: socket.socket, logs: Logs) -> int:
    """Serve until told to stop, or until the supervisor has gone; the exit status."""
    channel = await Channel.open(end)
    try:
        return await _serve(App(settings, logs), channel, logs)
    except (CannotListen, ValueError) as error:
        channel.send(Word.FAILED, str(error))
        return 1
    finally:
        await channel.close()


async def _serve(app: App, channel: Channel, logs: Logs) -> int:
    patience = 0.0
    try:
        await app.join()
        async with asyncio.TaskGroup() as tasks:
            ending = Ending()
            obeying = tasks.create_task(_obey(app, channel, ending, logs))
            channel.send(Word.LISTENING)
            await ending.stop.wait()
            if await run_unless(ending.hurry, app.drain()):
                patience = GOODBYE
            obeying.cancel()
        return 0 if patience else 1
    finally:
        await app.close(patience)
        _report(app, channel, logs)
        logs.info("stopped")


async def _obey(app: App, channel: Channel, ending: Ending, logs: Logs) -> None:
    while (said := await channel.receive()) is not None:
        match said[0]:
            case Word.STATES:
                channel.send(Word.STATES, dict(app.states()))
            case Word.METRICS:
                _report(app, channel, logs)
            case Word.DRAIN:
                ending.stop.set()
            case Word.STOP:
                ending.stop.set()
                ending.hurry.set()
            case _:  # what only a worker says
                pass
    if not ending.stop.is_set():
        logs.error("supervisor-gone", detail="nobody replaces or ends this worker any more: it drains and ends")
        ending.stop.set()


def _report(app: App, channel: Channel, logs: Logs) -> None:
    try:
        channel.send(Word.METRICS, dump(take(app.metrics.registry.collect())))
    except Exception as bug:
        # As on a page of the operators: who asks gets no answer, and the batches go on.
        logs.error("bug", bug=bug)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
