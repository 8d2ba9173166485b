import json
import logging
import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.batch.content import Content, Kind
from gateway.batch.operation import Operation
from gateway.batch.results import Finished, Result, summarise
from gateway.commands.workers.private import open_private_file
from gateway.logs import Level, LineWriter, Logs
from gateway.messages import Context, Failure, Reason, Response, Trace

CONTEXT = Context("request-1", Trace("a" * 32, "b" * 16), "192.0.2.1", (("authorization", "secret"),))


class Pipe:
    """A pipe: what is written to it, read as lines."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def read_lines(self) -> list[bytes]:
        """Everything, once the writing end is closed."""
        self.close_writer()
        content = b""
        while more := os.read(self.reader, 1 << 16):
            content += more
        return content.splitlines()

    def close_writer(self) -> None:
        """Close the writing end, once."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def close_reader(self) -> None:
        """Close the reading end, once."""
        if self.reader >= 0:
            os.close(self.reader)
            self.reader = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close_writer()
    pipe.close_reader()


def written(pipe: Pipe, logs: Logs) -> list[dict[str, Any]]:
    logs.close()
    lines = [json.loads(line) for line in pipe.read_lines()]
    for line in lines:
        assert line.pop("timestamp").endswith("Z")
    return lines


def make_logs(pipe: Pipe, level: Level = "info") -> Logs:
    return Logs(LineWriter(pipe.writer), level)


def log_batch(logs: Logs, finished: Finished | None, status: int = 207, reason: Reason | None = None) -> None:
    logs.request(
        CONTEXT,
        method="POST",
        dialect="native",
        status=status,
        bytes_in=10,
        bytes_out=20,
        duration=0.01234,
        reason=reason,
        detail="why" if reason else "",
        finished=finished,
    )


def make_result(outcome: Response | Failure, name: str | None = None) -> Result:
    operation = Operation("/requests/0", "/users/42?token=secret", ("/users",), name, "GET")
    return Result(operation, "users", outcome, Content(Kind.EMPTY, b"secret"), "/users", 1.0, 0.005)


BATCH = {
    "level": "info",
    "event": "batch",
    "request_id": "request-1",
    "trace_id": "a" * 32,
    "client": "192.0.2.1",
    "method": "POST",
    "status": 207,
    "bytes_in": 10,
    "bytes_out": 20,
    "duration_ms": 12.3,
    "dialect": "native",
}
FAILED = {
    "event": "operation-failed",
    "request_id": "request-1",
    "pointer": "/requests/0",
    "upstream": "users",
    "method": "GET",
    "duration_ms": 5.0,
}


def test_batch_is_one_line_and_each_failed_operation_one_more(pipe: Pipe) -> None:
    logs = make_logs(pipe)
    results = (
        make_result(Response(200, (("set-cookie", "secret"),), b"secret")),
        make_result(Response(404, (), b"secret"), "user"),
        make_result(Failure(Reason.UPSTREAM_TIMEOUT, "users did not answer")),
    )
    log_batch(logs, summarise(results, 0.01))
    assert written(pipe, logs) == [
        BATCH | {"ops": 3, "ops_failed": 2},
        FAILED | {"level": "info", "operation": "user", "status": 404},
        FAILED
        | {
            "level": "warning",
            "operation": "/requests/0",
            "status": 504,
            "reason": "upstream-timeout",
            "detail": "users did not answer",
        },
    ]


def test_fields_of_the_process_are_in_every_line(pipe: Pipe) -> None:
    logs = Logs(LineWriter(pipe.writer), fields={"worker": 3})
    logs.info("x", value=1)
    log_batch(logs, None, 400)
    assert [line["worker"] for line in written(pipe, logs)] == [3, 3]


def test_times_are_iso_8601_in_utc_with_microseconds(pipe: Pipe) -> None:
    logs = make_logs(pipe)
    before = datetime.now(UTC)
    logs.info("x")
    logs.close()
    (line,) = pipe.read_lines()
    text = json.loads(line)["timestamp"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text)
    assert before <= datetime.fromisoformat(text) <= datetime.now(UTC)


def test_refused_batch_says_why(pipe: Pipe) -> None:
    logs = make_logs(pipe)
    log_batch(logs, None, 413, Reason.PAYLOAD_TOO_LARGE)
    assert written(pipe, logs) == [BATCH | {"status": 413, "reason": "payload-too-large", "detail": "why"}]


def test_values_cannot_forge_lines_or_talk_to_a_terminal(pipe: Pipe) -> None:
    logs = make_logs(pipe)
    logs.info("x", value='a"\n{"event": "forged"}\x1b[31m\x7f\x9b\u2028\ud800', long="y" * 5000)
    line = written(pipe, logs)[0]
    assert line["value"] == 'a"\\u000a{"event": "forged"}\\u001b[31m\\u007f\\u009b\\u2028\\ud800'
    assert len(line["long"]) == 1024


@pytest.mark.parametrize(
    ("value", "logged"),
    [
        ("\x7f", "\\u007f"),
        ("\x9b", "\\u009b"),
        ("\n", "\\u000a"),
        ("\ud800", "\\ud800"),
        ("y" * 1024, "y" * 1024),
        ("y" * 1025, "y" * 1024),
        ("a\\b", "a\\b"),
        ("\u00e9", "\u00e9"),
    ],
)
def test_one_harmful_value_is_seen_in_a_plain_line(pipe: Pipe, value: str, logged: str) -> None:
    logs = make_logs(pipe)
    logs.info("x", value=value)
    assert written(pipe, logs) == [{"level": "info", "event": "x", "value": logged}]


def test_text_for_people_has_no_control_characters_of_others(pipe: Pipe) -> None:
    logs = Logs(LineWriter(pipe.writer), text=True)
    logs.info("x", value="\x1b[2J\n")
    logs.close()
    (line,) = pipe.read_lines()
    assert b"\x1b[2J" not in line
    assert b"\\u001b[2J" in line


@pytest.mark.parametrize(("level", "events"), [("info", ["a", "b", "c"]), ("warning", ["b", "c"]), ("error", ["c"])])
def test_lines_below_the_level_are_not_written(pipe: Pipe, level: Level, events: list[str]) -> None:
    logs = make_logs(pipe, level)
    logs.info("a")
    logs.warning("b")
    logs.error("c")
    assert [line["event"] for line in written(pipe, logs)] == events


def test_bug_comes_with_its_traceback_in_one_line(pipe: Pipe) -> None:
    logs = make_logs(pipe)
    logs.error("bug", bug=RuntimeError("boom"))
    (line,) = written(pipe, logs)
    assert line["traceback"].splitlines()[-1] == "RuntimeError: boom"


def test_libraries_log_here_from_warnings_on(pipe: Pipe) -> None:
    logs = make_logs(pipe)
    handlers, level = logging.root.handlers[:], logging.root.level
    try:
        logs.take_library_lines()
        logging.getLogger("lib").info("quiet")
        logging.getLogger("lib").warning("loud %s", "thing")
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
    assert written(pipe, logs) == [{"level": "warning", "event": "library", "logger": "lib", "detail": "loud thing"}]


def test_full_pipe_drops_lines_counts_them_and_holds_nobody_up(pipe: Pipe) -> None:
    writer = LineWriter(pipe.writer, room=100_000)
    line = "x" * 999
    sent = 500
    for _ in range(sent):
        writer.write(line)
    assert writer.dropped > 0
    received = 0
    while received + writer.dropped < sent:
        select.select([pipe.reader], [], [])
        received += os.read(pipe.reader, 1 << 20).count(b"\n")
    writer.close()
    assert received + writer.dropped == sent


def test_processes_that_take_turns_tear_no_line_of_any_length(pipe: Pipe) -> None:
    turn = open_private_file()
    script = f"""
import sys
from gateway.logs import LineWriter
writer = LineWriter({pipe.writer}, room=1 << 30, turn={turn})
for size in (10, 5_000, 100_000) * 40:
    writer.write(sys.argv[1] * size)
writer.close(30)
"""
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", script, letter], pass_fds=(pipe.writer, turn), cwd=root) for letter in "ab"
    ]
    os.close(turn)
    lines = pipe.read_lines()
    assert [writer.wait() for writer in writers] == [0, 0]
    assert sorted((len(line), line[:1]) for line in lines) == sorted(
        (size, letter) for size in (10, 5_000, 100_000) * 40 for letter in (b"a", b"b")
    )
    assert all(line == line[:1] * len(line) for line in lines)


def test_reader_that_has_gone_costs_lines_and_nothing_else(pipe: Pipe) -> None:
    pipe.close_reader()
    writer = LineWriter(pipe.writer)
    writer.write("a")
    writer.close()
    assert writer.dropped == 1
