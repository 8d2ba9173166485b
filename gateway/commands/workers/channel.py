"""What a supervisor and a worker say to each other: JSON, a line each, over a pair of sockets that nobody else has."""

import asyncio
import socket
from enum import StrEnum
from typing import Any

from gateway import jsontext

_LONGEST = 64 << 20
"""Bytes of a line: all metrics of a worker are one, a few hundred kilobytes."""


class Word(StrEnum):
    """What a line is about; what comes with it."""

    DRAIN = "drain"  # supervisor: end gracefully
    STOP = "stop"  # supervisor: end now
    STATES = "states"  # supervisor asks, worker answers: names of conditions and whether they hold
    METRICS = "metrics"  # supervisor asks, worker answers, and says it once more before it ends: see gateway.metrics.merging
    LISTENING = "listening"  # worker: takes batches now
    FAILED = "failed"  # worker: why it cannot, for people


class Channel:
    """One end. What is sent waits in memory until the other end reads it; whoever asks must not ask again meanwhile."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> "Channel":
        """The channel over one socket of a pair."""
        return cls(*await asyncio.open_unix_connection(sock=end, limit=_LONGEST))

    def send(self, word: Word, value: Any = None) -> None:
        """Say something; nothing happens if nobody is there any more."""
        if not self._writer.is_closing():
            self._writer.write(jsontext.dump([word, value]) + b"\n")

    async def receive(self) -> tuple[Word, Any] | None:
        """What the other end said, or None when it has gone."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        if not line.endswith(b"\n"):
            return None
        word, value = jsontext.load(line)
        return Word(word), value

    async def close(self) -> None:
        """Let the other end read everything, then hang up."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return
