"""Streamed answers over real sockets, from the configuration to the bytes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.app.places import make_places
from gateway.config.settings import Settings
from gateway.execution.engine import Engine
from gateway.messages import Failure, Outcome, Reason, Request
from gateway.server.settings import Patience
from tests.support.batches import HeldSend, engine, envelope, ok
from tests.support.public_edge import RunningEdge, post, running_edge
from tests.support.streams import StreamClient, read_events, read_lines

LINES = "application/x-ndjson"
LONG = b'"' + b"x" * (1 << 20) + b'"'


@asynccontextmanager
async def gateway(made: Engine, patience: Patience | None = None, **server: Any) -> AsyncIterator[RunningEdge]:
    """A public edge before `made`, with all the places it has by configuration."""
    settings = Settings.model_validate({"server": server})
    async with running_edge(places=make_places(settings, made), patience=patience) as edge:
        yield edge


async def open_stream(edge: RunningEdge, body: bytes, accept: str = LINES, **headers: str) -> StreamClient:
    client = await edge.connect()
    client.write(post(body, accept=accept, **headers))
    return StreamClient(client)


async def test_lines_arrive_while_the_batch_runs_and_the_connection_goes_on() -> None:
    held = HeldSend()
    async with gateway(engine(held)) as edge:
        stream = await open_stream(edge, envelope("/any/a", "/any/b"))
        head = await stream.open()
        assert head.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\n")
        assert b"\r\nTransfer-Encoding: chunked\r\n" in head
        assert b"content-length" not in head.lower()
        await held.end("/any/b", ok([2]))
        assert (await stream.line())["body"] == [2]
        await held.end("/any/a")
        rest = read_lines(await stream.rest())
        assert [line.get("index") for line in rest] == [0, None]
        stream.client.write(post(envelope("/any/c")))
        await held.arrived(3)
        await held.end("/any/c", ok(3))
        assert json.loads((await stream.client.receive()).body)["responses"][0]["body"] == 3
        streamed, plain = await edge.exchange(), await edge.exchange(2)
    assert (streamed.status, streamed.reason, streamed.dialect, streamed.route) == (200, None, "native", "/batch")
    assert streamed.finished is not None
    assert (streamed.finished.operations, plain.status) == (2, 200)
    assert streamed.bytes_out > plain.bytes_out


async def test_events_are_read_as_browsers_do() -> None:
    async def send(request: Request) -> Outcome:
        return ok(b'{"a":\n1}')

    async with gateway(engine(send)) as edge:
        stream = await open_stream(edge, envelope("/any/a", "/any/b"), "text/event-stream")
        assert b"content-type: text/event-stream\r\n" in await stream.open()
        events = read_events(await stream.rest())
    assert [(kind, value.get("body")) for kind, value in events] == [
        ("response", {"a": 1}),
        ("response", {"a": 1}),
        ("summary", None),
    ]


async def test_http_1_0_reads_to_the_end_of_the_connection() -> None:
    held = HeldSend()
    async with gateway(engine(held)) as edge:
        client = await edge.connect()
        client.write(post(envelope("/any/a"), accept=LINES, connection="keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"))
        head = await client.reader.readuntil(b"\r\n\r\n")
        await held.end("/any/a", ok(1))
        lines = read_lines(await client.reader.read())
    assert head.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert b"connection" not in head.lower()
    assert [line.get("body") for line in lines] == [1, None]


async def test_a_client_that_stops_reading_holds_new_operations_back_and_reading_lets_them_go() -> None:
    held = HeldSend()
    paths = [f"/any/{number}" for number in range(12)]
    chain = {"name": "last", "path": "/any/last", "after": ["eleven"]}
    body = envelope(*paths[:11], {"name": "eleven", "path": "/any/11"}, chain)
    async with gateway(engine(held)) as edge:
        stream = await open_stream(edge, body)
        await stream.open()
        stream.client.stop_reading()
        for path in paths:
            await held.end(path, ok(LONG))
        assert held.targets == paths
        stream.client.go_on_reading()
        rest = asyncio.ensure_future(stream.rest())
        await held.arrived(13)
        await held.end("/any/last")
        lines = read_lines(await rest)
    assert [line.get("index") for line in lines] == [*range(13), None]


async def test_a_client_that_never_reads_is_cut_off_and_everything_given_back() -> None:
    held = HeldSend()
    made = engine(held)
    async with gateway(made, Patience(write_timeout=0.1)) as edge:
        stream = await open_stream(edge, envelope(*[f"/any/{number}" for number in range(12)], "/any/read"))
        await stream.open()
        stream.client.stop_reading()
        for number in range(12):
            await held.end(f"/any/{number}", ok(LONG))
        reported = await edge.exchange()
    assert (reported.status, reported.reason, held.cancelled) == (499, Reason.CLIENT_GONE, ["/any/read"])
    assert (made.budget.held, made.runs) == (0, set())


async def test_a_client_that_leaves_cancels_what_is_in_flight() -> None:
    held = HeldSend()
    made = engine(held)
    async with gateway(made) as edge:
        stream = await open_stream(edge, envelope("/any/a", {"path": "/any/b", "method": "POST"}))
        await stream.open()
        await stream.client.leave()
        await held.given_up("/any/a")
        await held.end("/any/b", ok(status=201))
        reported = await edge.exchange()
    assert (reported.status, reported.reason) == (499, Reason.CLIENT_GONE)
    assert reported.finished is not None
    assert [result.status for result in reported.finished.results] == [499, 201]
    assert made.budget.held == 0


async def test_a_stream_in_progress_is_finished_when_the_gateway_drains_and_ends_its_connection() -> None:
    held = HeldSend()
    async with gateway(engine(held)) as edge:
        stream = await open_stream(edge, envelope("/any/a"))
        assert b"connection: close" not in (await stream.open()).lower()
        await edge.edge.stop_listening()
        await held.end("/any/a")
        assert await edge.edge.wait_until_quiet(5.0)
        assert [line.get("index") for line in read_lines(await stream.rest())] == [0, None]
        assert await stream.client.is_closed()


async def test_a_heartbeat_is_written_while_nothing_ends() -> None:
    held = HeldSend()
    async with gateway(engine(held), heartbeat="10ms") as edge:
        stream = await open_stream(edge, envelope("/any/a"))
        await stream.open()
        assert [await stream.line(), await stream.line()] == [None, None]
        await held.end("/any/a", ok(1))
        lines = read_lines(await stream.rest())
    assert lines[0]["body"] == 1


async def test_a_bug_cuts_the_stream_without_its_end() -> None:
    held = HeldSend()

    def send(request: Request) -> Any:
        if request.target == "/any/b":
            raise ZeroDivisionError
        return held(request)

    async with gateway(engine(send)) as edge:
        stream = await open_stream(edge, envelope({"name": "a", "path": "/any/a"}, {"path": "/any/b", "after": ["a"]}))
        await stream.open()
        await held.end("/any/a")
        with pytest.raises(asyncio.IncompleteReadError):
            await stream.rest()
        reported = await edge.exchange()
    assert (reported.status, reported.reason, type(reported.bug)) == (500, Reason.INTERNAL, ZeroDivisionError)


@pytest.mark.parametrize(("path", "body", "status"), [("/batch", b"{}", 422), ("/batch", b"{", 400)])
async def test_a_refusal_is_a_plain_problem(path: str, body: bytes, status: int) -> None:
    async with gateway(engine(HeldSend())) as edge:
        received = await edge.send(post(body, path, accept=LINES))
    assert (received.status, received.headers["content-type"]) == (status, "application/problem+json")


async def test_the_agendize_flavour_is_not_streamed() -> None:
    async def send(request: Request) -> Outcome:
        return Failure(Reason.UPSTREAM_CLOSED, "gone")

    async with gateway(engine(send)) as edge:
        received = await edge.send(post(envelope("/any/a"), "/api/2.3/batch", accept=LINES))
    assert (received.status, received.headers["content-type"]) == (200, "application/json")


async def test_the_first_line_comes_long_before_the_last_operation_ends() -> None:
    """Of a batch of 50, the fastest 5 ms and the slowest 500 ms."""

    async def send(request: Request) -> Outcome:
        await asyncio.sleep(0.005 + 0.495 * int(request.target.rpartition("/")[2]) / 49)
        return ok({})

    async with gateway(engine(send)) as edge:
        began = time.perf_counter()
        stream = await open_stream(edge, envelope(*[f"/any/{number}" for number in range(50)]))
        await stream.open()
        first = await stream.line()
        after_first = time.perf_counter() - began
        lines = [first, *read_lines(await stream.rest())]
        after_last = time.perf_counter() - began
    assert [line.get("index") for line in lines] == [*range(50), None]
    assert after_first < after_last / 5
