"""What jobs cost: taking in a large file, validating, running alone, and running beside live batches."""

import http.client
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from tests.bench.load import check, send_for
from tests.bench.peers import Server, write_config
from tests.bench.points import Point, make_point, write_batch
from tests.bench.processes import BESIDE, MEASURED, free_ports, resident_mebibytes, running

LINES = 50_000
UPLOAD = 200 << 20
BOUNDARY = "bench-jobs"
PATIENCE = 120

ENDPOINT = "/small"
LIVE = 50
"""Operations of a live batch."""


class Cost(NamedTuple):
    """Seconds, and MiB over what the gateway has when idle."""

    seconds: float
    memory: float


class JobFigures(NamedTuple):
    """`size` is bytes; rates are sub-requests per second and p99s seconds, one for each round."""

    lines: int
    size: int
    upload: Cost
    validation: Cost
    job_rates: list[float]
    live_rates: list[float]
    p99_beside: list[float]
    p99_alone: list[float]


def measure_jobs(lines: int, rounds: int, seconds: float, size: int = UPLOAD) -> JobFigures:
    """All figures. Uploading and validating have a gateway of their own each, because memory is the most there ever was."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (upstream,) = free_ports(1)
        with running([sys.executable, "-m", "tests.bench.upstream", str(upstream)], upstream, BESIDE):
            with gateway_with_jobs(folder / "upload", upstream) as server:
                uploaded = measure_upload(server, size)
            with gateway_with_jobs(folder / "validate", upstream) as server:
                validated = measure_validation(server, lines)
            with gateway_with_jobs(folder / "rate", upstream) as server:
                many = make_point(f"POST batch of {LIVE}", LIVE, 4, lambda pick: _live_batch(pick.randint(1, 99999)))
                rates = [(measure_job(server, lines), measure_live(server, many, seconds)) for _ in range(rounds)]
                p99s = [measure_p99(server, lines, seconds) for _ in range(rounds)]
    job_rates, live_rates = (list(some) for some in zip(*rates, strict=True))
    beside, alone = (list(some) for some in zip(*p99s, strict=True))
    return JobFigures(lines, size, uploaded, validated, job_rates, live_rates, beside, alone)


@contextmanager
def gateway_with_jobs(folder: Path, upstream: int) -> Iterator[Server]:
    """A gateway with jobs, everything else as it is by default."""
    folder.mkdir()
    (port,) = free_ports(1)
    origin = {"url": f"http://127.0.0.1:{upstream}", "routes": [{"path": ENDPOINT, "file_batches": True}, "/slow"]}
    jobs = {"enabled": True, "auth": "none", "data": str(folder / "data")}
    with running(write_config(folder, port, {"bench": origin}, jobs=jobs), port, MEASURED) as pid:
        yield Server("gateway", pid, port)


def measure_upload(server: Server, size: int) -> Cost:
    """What it costs to take in a file."""
    idle = resident_mebibytes(server.pid, "VmRSS")
    began = time.perf_counter()
    upload(server, _padding(size), size, "user_data")
    return Cost(time.perf_counter() - began, resident_mebibytes(server.pid, "VmHWM") - idle)


def measure_validation(server: Server, lines: int) -> Cost:
    """From creating a batch to its first request being allowed."""
    idle = resident_mebibytes(server.pid, "VmRSS")
    content = b"".join(_line(number) for number in range(lines))
    file = upload(server, iter([content]), len(content), "batch")
    began = time.perf_counter()
    batch = create(server, file)
    while batch["status"] == "validating":
        time.sleep(0.02)
        batch = ask(server, "GET", f"/v1/batches/{batch['id']}")
    took = time.perf_counter() - began
    most = resident_mebibytes(server.pid, "VmHWM") - idle
    if batch["status"] == "failed":
        raise AssertionError(batch)
    end(server, batch["id"])
    return Cost(took, most)


def measure_live(server: Server, point: Point, seconds: float) -> float:
    """Sub-requests per second of live batches."""
    least = check(server.port, point)
    began = time.perf_counter()
    batches = len(uvloop.run(send_for(server.port, point, seconds, least)))
    return batches * point.sub_requests / (time.perf_counter() - began)


def measure_job(server: Server, lines: int) -> float:
    """Lines per second of a job alone, from its first request to its last."""
    batch = _submit(server, lines)
    while batch["status"] == "validating":
        time.sleep(0.02)
        batch = ask(server, "GET", f"/v1/batches/{batch['id']}")
    began = time.perf_counter()
    while batch["status"] == "in_progress":
        time.sleep(0.25)
        batch = ask(server, "GET", f"/v1/batches/{batch['id']}")
    took = time.perf_counter() - began
    while batch["status"] == "finalizing":
        time.sleep(0.05)
        batch = ask(server, "GET", f"/v1/batches/{batch['id']}")
    if batch["request_counts"] != {"total": lines, "completed": lines, "failed": 0}:
        raise AssertionError(batch)
    return lines / took


def measure_p99(server: Server, lines: int, seconds: float) -> tuple[float, float]:
    """Seconds: the p99 of one live batch at a time beside jobs that do not end meanwhile, and without any."""
    point = make_point(f"POST batch of {LIVE}", LIVE, 1, lambda pick: _live_batch(pick.randint(1, 99999)))
    least = check(server.port, point)
    alone = uvloop.run(send_for(server.port, point, seconds, least))
    running_jobs = [_submit(server, lines) for _ in range(2)]
    while any(ask(server, "GET", f"/v1/batches/{job['id']}")["status"] == "validating" for job in running_jobs):
        time.sleep(0.02)
    beside = uvloop.run(send_for(server.port, point, seconds, least))
    for job in running_jobs:
        end(server, job["id"])
    return _p99(beside), _p99(alone)


def _p99(latencies: list[float]) -> float:
    return sorted(latencies)[math.ceil(len(latencies) * 0.99) - 1]


def _submit(server: Server, lines: int) -> dict[str, Any]:
    content = b"".join(_line(number) for number in range(lines))
    return create(server, upload(server, iter([content]), len(content), "batch"))


def _line(number: int) -> bytes:
    body = {"model": "bench", "messages": [{"role": "user", "content": f"question {number} {'x' * 80}"}]}
    return json.dumps({"custom_id": f"line-{number}", "method": "POST", "url": ENDPOINT, "body": body}).encode() + b"\n"


def _live_batch(number: int) -> bytes:
    body = {"model": "bench", "messages": [{"role": "user", "content": f"question {number} {'x' * 80}"}]}
    return write_batch(*({"method": "POST", "path": ENDPOINT, "body": body} for _ in range(LIVE)))


def _padding(size: int) -> Iterator[bytes]:
    piece = b"x" * (1 << 16)
    for start in range(0, size, len(piece)):
        yield piece[: size - start]


def upload(server: Server, pieces: Iterator[bytes], size: int, purpose: str) -> str:
    """The id of a file, sent piece by piece."""
    head = (
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n'
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="lines.jsonl"\r\n'
        "content-type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.putrequest("POST", "/v1/files")
    connection.putheader("content-type", f"multipart/form-data; boundary={BOUNDARY}")
    connection.putheader("content-length", str(len(head) + size + len(tail)))
    connection.endheaders(head)
    for piece in pieces:
        connection.send(piece)
    connection.send(tail)
    return str(_read(connection)["id"])


def create(server: Server, file: str) -> dict[str, Any]:
    """A batch of the lines of a file."""
    return ask(server, "POST", "/v1/batches", {"input_file_id": file, "endpoint": ENDPOINT, "completion_window": "24h"})


def end(server: Server, batch: str) -> None:
    """Cancel a batch if there is still time for that, and wait until nothing of it is left to do."""
    status = ask(server, "GET", f"/v1/batches/{batch}")["status"]
    if status in {"validating", "in_progress"}:
        ask(server, "POST", f"/v1/batches/{batch}/cancel", allowed=(200, 409))
    while ask(server, "GET", f"/v1/batches/{batch}")["status"] not in {"cancelled", "completed"}:
        time.sleep(0.02)


def ask(server: Server, method: str, path: str, body: Any = None, allowed: Sequence[int] = (200,)) -> dict[str, Any]:
    """The JSON of an answer that has one of the `allowed` statuses."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    headers = {} if body is None else {"content-type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    return _read(connection, allowed)


def _read(connection: http.client.HTTPConnection, allowed: Sequence[int] = (200,)) -> dict[str, Any]:
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status not in allowed:
        raise AssertionError(f"answered {answer.status}: {content[:500]!r}")
    found: dict[str, Any] = json.loads(content)
    return found
