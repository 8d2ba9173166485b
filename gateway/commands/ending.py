"""How a process is told to end: once, gracefully; twice, at once."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

from gateway.logs import Logs


class Ending:
    """Whether this process is to end, and whether it is to hurry."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()

    def ask(self) -> None:
        """Ask for the end, or for haste if that has been asked for."""
        (self.hurry if self.stop.is_set() else self.stop).set()


async def run_unless(event: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do `work`; False if the event came before it was done, and cut it short."""
    working = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait((working, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if working.done():
        working.result()
        return True
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return False


def follow_signals(ending: Ending, logs: Logs) -> None:
    """Let SIGTERM and SIGINT ask for the end. SIGHUP: a note in the log."""

    def end(number: signal.Signals) -> None:
        logs.info("signal", name=number.name)
        ending.ask()

    def explain_reload() -> None:
        logs.warning("signal", name="SIGHUP", detail="the configuration is read at the start only: restart the gateway")

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, number)
    loop.add_signal_handler(signal.SIGHUP, explain_reload)
