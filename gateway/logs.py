"""Every log line. The home of structlog; one JSON object a line on stdout, or text for people on a terminal.

What is logged is chosen field by field here: never bodies, query strings or header values. A reader that stops reading must not
stop the gateway, so a thread does the writing, and lines it has no room for are dropped and counted.
"""

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from fcntl import LOCK_EX, LOCK_UN, lockf
from types import MappingProxyType
from typing import Literal, get_args

from gateway import jsontext
from gateway.batch.results import Finished, Result
from gateway.messages import Context, Failure, Reason

Level = Literal["debug", "info", "warning", "error"]
_LEVELS: tuple[Level, ...] = get_args(Level)

_LONGEST = 1024
"""Characters of one value."""

_BACKSLASH, _DELETE = ord("\\"), 0x7F
"""What JSON escapes begin with, and the one control character that JSON does not escape."""

_GATHER = 0.01
"""Seconds the writing thread waits for more lines, so that a burst becomes one write."""


class LineWriter:
    """Writes lines to a file descriptor from a thread of its own; `write` never waits. At most `room` bytes wait their turn.

    Where several processes share the descriptor, `turn` is one of a file they share too: who has it locked writes. A pipe keeps
    only 4096 bytes together by itself, and a traceback is longer.
    """

    def __init__(self, descriptor: int, room: int = 4 << 20, turn: int | None = None) -> None:
        self._descriptor = descriptor
        self._turn = turn
        self._room = room
        self._lines: list[bytes] = []
        self._waiting = 0
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._closing = False
        self.dropped = 0
        # A daemon: a pipe that nobody reads must not keep the process from ending.
        self._flusher = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._flusher.start()

    def write(self, line: str | bytes) -> None:
        """Take one line, or drop and count it."""
        encoded = (line.encode(errors="backslashreplace") if isinstance(line, str) else line) + b"\n"
        with self._lock:
            if self._waiting + len(encoded) > self._room:
                self.dropped += 1
                return
            first = not self._lines
            self._lines.append(encoded)
            self._waiting += len(encoded)
        if first:
            self._woken.set()

    def close(self, timeout: float = 1.0) -> None:
        """Write what is waiting, for at most `timeout` seconds."""
        self._closing = True
        self._woken.set()
        self._flusher.join(timeout)

    def _write_all(self) -> None:
        while not self._closing or self._lines:
            self._woken.wait()
            self._woken.clear()
            if not self._closing:
                time.sleep(_GATHER)
            with self._lock:
                lines, self._lines = self._lines, []
            text = b"".join(lines)
            if not self._write_in_turn(memoryview(text)):
                self.dropped += len(lines)
            with self._lock:
                self._waiting -= len(text)

    def _write_in_turn(self, text: memoryview) -> bool:
        if self._turn is None:
            return self._write(text)
        lockf(self._turn, LOCK_EX)  # one of the process, not of the open file: the system gives it back when the process dies
        try:
            return self._write(text)
        finally:
            lockf(self._turn, LOCK_UN)

    def _write(self, text: memoryview) -> bool:
        try:
            while text:
                text = text[os.write(self._descriptor, text) :]
        except OSError:  # nobody has the pipe open any more, or the disk is full
            return False
        return True


class Logs:
    """The gateway's log: `text` for people, else JSON; lines below `level` are not written. `fields` are in every line."""

    def __init__(
        self, writer: LineWriter, level: Level = "info", text: bool = False, fields: Mapping[str, object] = MappingProxyType({})
    ) -> None:
        self._writer = writer
        self._fields = dict(fields)  # a dict is taken into a line three times as fast as other mappings
        self._calendar = _Calendar()
        self._render = _make_text_renderer() if text else _render_json
        levels = logging.getLevelNamesMapping()
        self._written = frozenset(name for name in _LEVELS if levels[name.upper()] >= levels[level.upper()])

    @property
    def dropped(self) -> int:
        """Lines lost so far because nobody read them."""
        return self._writer.dropped

    def info(self, event: str, **fields: object) -> None:
        """Something an operator may want to know."""
        self._log("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something an operator should look at."""
        self._log("warning", event, fields)

    def error(self, event: str, *, bug: BaseException | None = None, **fields: object) -> None:
        """Something is broken; with the traceback of `bug`."""
        if bug is not None:
            fields["traceback"] = "".join(traceback.format_exception(bug))
        self._log("error", event, fields)

    def request(
        self,
        context: Context,
        *,
        method: str,
        dialect: str | None,
        status: int,
        bytes_in: int,
        bytes_out: int,
        duration: float,
        reason: Reason | None,
        detail: str,
        finished: Finished | None,
    ) -> None:
        """A request to the public port is over; `duration` in seconds. One line, and one for each operation that failed."""
        if "info" in self._written:
            line = self._begin("info", "batch" if dialect is not None else "request")
            line["request_id"] = context.request_id
            line["trace_id"] = context.trace.trace_id
            line["client"] = context.client
            line["method"] = method
            line["status"] = status
            line["bytes_in"], line["bytes_out"] = bytes_in, bytes_out
            line["duration_ms"] = _milliseconds(duration)
            if dialect is not None:
                line["dialect"] = dialect
            if finished is not None:
                line["ops"], line["ops_failed"] = finished.operations, finished.failed
            if reason is not None:
                line["reason"], line["detail"] = reason.value, detail
            self._writer.write(self._render(line))
        if finished is not None and finished.failed:
            for result in finished.results:
                if not result.succeeded:
                    self._operation_failed(context, result)

    def _operation_failed(self, context: Context, result: Result) -> None:
        fields: dict[str, object] = {
            "request_id": context.request_id,
            "operation": result.name or result.pointer,
            "pointer": result.pointer,
            "upstream": result.upstream,
            "method": result.method,
            "status": result.status,
            "duration_ms": _milliseconds(result.duration),
        }
        if isinstance(result.outcome, Failure):
            fields["reason"], fields["detail"] = result.outcome.reason.value, result.outcome.detail
            self._log("warning", "operation-failed", fields)
        else:
            self._log("info", "operation-failed", fields)

    def _log(self, level: Level, event: str, fields: dict[str, object]) -> None:
        if level in self._written:
            self._writer.write(self._render(self._begin(level, event) | fields))

    def _begin(self, level: Level, event: str) -> dict[str, object]:
        """What every line begins with."""
        return {"timestamp": self._calendar.spell(time.time_ns()), "level": level, "event": event, **self._fields}

    def take_library_lines(self) -> None:
        """Write what libraries log through the standard library's `logging` here, from warnings on, instead of on stderr."""
        logging.root.handlers[:] = [_LibraryLines(self)]
        logging.root.setLevel(logging.WARNING)

    def close(self) -> None:
        """Write what is waiting."""
        self._writer.close()


class _LibraryLines(logging.Handler):
    """Turns a library's log record into a line of ours."""

    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        bug = record.exc_info[1] if record.exc_info else None
        if record.levelno >= logging.ERROR:
            self._logs.error("library", bug=bug, logger=record.name, detail=record.getMessage())
        else:
            self._logs.warning("library", logger=record.name, detail=record.getMessage())


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)


class _Calendar:
    """Times as text: ISO 8601 in UTC with microseconds. Formats a second once: all of it costs more than the rest of a line."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def spell(self, nanoseconds: int) -> str:
        """`nanoseconds` since 1970."""
        second, rest = divmod(nanoseconds, 1_000_000_000)
        if second != self._second:
            self._second, self._text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{rest // 1000:06d}Z"


def _make_harmless(line: dict[str, object]) -> None:
    """No control characters, no half surrogates, nothing endless: a value must not forge lines or talk to a terminal."""
    for key, value in line.items():
        if type(value) is str and (len(value) > _LONGEST or not value.isprintable()):
            line[key] = "\n".join(map(_escape, value.splitlines())) if key == "traceback" else _escape(value[:_LONGEST])


def _escape(text: str) -> str:
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def _render_json(line: dict[str, object]) -> bytes:
    try:
        text = jsontext.dump(line)
        if _is_harmless(text):
            return text
    except TypeError:  # half a surrogate: JSON has no way to say it
        pass
    _make_harmless(line)
    return jsontext.dump(line)


def _is_harmless(text: bytes) -> bool:
    """Whether no value in a line of JSON can do harm. Nearly every line is plain, and one look at the whole shows it."""
    return len(text) <= _LONGEST and text.isascii() and _BACKSLASH not in text and _DELETE not in text


def _make_text_renderer() -> Callable[[dict[str, object]], str]:
    # Imported only where somebody looks at a terminal: it is slow to come and large, and JSON lines do without it.
    from structlog.dev import ConsoleRenderer  # noqa: PLC0415

    render = ConsoleRenderer(colors=True)

    def render_text(line: dict[str, object]) -> str:
        _make_harmless(line)
        return render(None, "", line)

    return render_text
