"""The processes of a measurement: each on a CPU of its own, its figures read from /proc, ended by its own id."""

import os
import re
import resource
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
CPUS = sorted(os.sched_getaffinity(0))

MEASURED, BESIDE, LOAD = 0, 1, 2
"""Which CPU a process has: the server under measurement, the upstream, the load. With two CPUs the last two share one."""

PATIENCE = 20
"""Seconds until a process that does not listen, or does not end, is taken for stuck."""


class CannotStart(Exception):
    """A process ended or kept silent instead of listening. The message is what it wrote."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at the moment."""
    taken = [socket.socket() for _ in range(count)]
    try:
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]
    finally:
        for one in taken:
            one.close()


def choose_cpu(place: int) -> int:
    """The CPU for a place; machines with fewer CPUs than places share the last."""
    return CPUS[min(place, len(CPUS) - 1)]


@contextmanager
def running(command: Sequence[str], port: int, place: int, files: int = 0) -> Iterator[int]:
    """`command`, once it listens on `port`; its process id. `files`: how many it may have open, if more than usual.

    Raises CannotStart.
    """
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        os.sched_setaffinity(process.pid, {choose_cpu(place)})
        allow_files(process.pid, files)
        _wait_until_listening(process, port)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def allow_files(pid: int, files: int) -> None:
    """Raise how many files a process may have open to `files`; CannotStart if the system does not let us."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    if soft >= files:
        return
    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, max(hard, files)))
    except PermissionError:
        raise CannotStart(f"a process may have {hard} files open here and needs {files}: see ulimit -Hn") from None


def _wait_until_listening(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    process.kill()
    _, errors = process.communicate()
    raise CannotStart(errors.decode(errors="replace").strip() or f"{process.args!r} does not listen on port {port}")


def list_tree(pid: int) -> list[int]:
    """A process and all that it has started."""
    found = [pid]
    for one in found:
        try:
            threads = list(Path(f"/proc/{one}/task").iterdir())
            found.extend(int(child) for thread in threads for child in (thread / "children").read_text().split())
        except OSError:  # it has just ended
            continue
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time that a process and its children have used."""
    return sum(_cpu_ticks(one) for one in list_tree(pid)) / TICKS


def _cpu_ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def resident_mebibytes(pid: int, field: str) -> float:
    """Memory of a process and its children: `field` is VmRSS for now, VmHWM for the most there has been of each."""
    return sum(_kibibytes(one, field) for one in list_tree(pid)) / 1024


def _kibibytes(pid: int, field: str) -> int:
    try:
        found = re.search(rf"^{field}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0
