"""One worker process as its supervisor sees it."""

import asyncio
import os
import pickle
import socket
import sys
from collections.abc import Callable
from typing import Any

from gateway.commands.workers.channel import Channel, Word
from gateway.commands.workers.private import open_private_file
from gateway.config.settings import Settings
from gateway.metrics.merging import Families, load

ANSWER = 0.5
"""Seconds a worker has to answer: half of what a probe usually waits."""

START = 60.0
"""Seconds a worker has to listen."""

FAREWELL = 5.0
"""Seconds between a worker's last word and its end."""

MAIN = (sys.executable, "-P", "-m", "gateway.commands.workers.worker")


class Worker:
    """A worker, from its start to its end."""

    def __init__(self, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self._process = process
        self._channel = channel
        self._asked: dict[Word, asyncio.Future[Any]] = {}
        self.listening = False
        self.failure = ""
        self.metrics: Families = {}

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    async def attend(self, on_listening: Callable[[], None]) -> int:
        """Listen to it until it has ended; its exit status, negative for a signal. Ends it if it does not come up."""
        try:
            async with asyncio.timeout(START) as limit:
                while (said := await self._channel.receive()) is not None:
                    if said[0] is Word.LISTENING:
                        limit.reschedule(None)
                        self.listening = True
                        on_listening()
                    self._hear(*said)
        except TimeoutError:
            self.failure = f"it did not listen within {START:.0f} s"
            self.kill()
        finally:
            self.listening = False
            self._hear_no_more()
            await self._channel.close()
        return await self._wait()

    def tell(self, word: Word) -> None:
        """Give an order."""
        self._channel.send(word)

    async def ask(self, word: Word, patience: float = ANSWER) -> Any:
        """Its answer, or None if that takes more than `patience` seconds. A late answer is for the next to ask."""
        answer = self._asked.get(word)
        if answer is None:
            answer = self._asked[word] = asyncio.get_running_loop().create_future()
            self._channel.send(word)
        await asyncio.wait((answer,), timeout=patience)
        return answer.result() if answer.done() else None

    def kill(self) -> None:
        """End it at once."""
        if self._process.returncode is None:
            self._process.kill()

    def _hear(self, word: Word, value: Any) -> None:
        if word is Word.FAILED:
            self.failure = value
        elif word is Word.METRICS:
            self.metrics = value = load(value)
        answer = self._asked.pop(word, None)
        if answer is not None:
            answer.set_result(value)

    def _hear_no_more(self) -> None:
        for answer in self._asked.values():
            answer.set_result(None)
        self._asked.clear()

    async def _wait(self) -> int:
        try:
            async with asyncio.timeout(FAREWELL):
                return await self._process.wait()
        except TimeoutError:
            self.kill()
            return await self._process.wait()


async def start_worker(index: int, settings: Settings, turn: int, main: tuple[str, ...] = MAIN) -> Worker:
    """Start a worker. It shares the log by locking the file with the descriptor `turn`."""
    ours, theirs = socket.socketpair()
    job = open_private_file(pickle.dumps(settings))
    try:
        process = await asyncio.create_subprocess_exec(
            *main,
            str(index),
            str(theirs.fileno()),
            str(turn),
            stdin=job,
            pass_fds=(theirs.fileno(), turn),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},  # so that it imports what we do
            start_new_session=True,  # Ctrl-C is for the supervisor
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(job)
    return Worker(process, await Channel.open(ours))
