import asyncio
import gzip
import json
from typing import Any

import pytest

from gateway.dialects.registry import DIALECTS
from gateway.messages import Reason
from gateway.pipeline import Answer
from gateway.server.context import Trust
from gateway.server.writing import SLICE
from tests.support.public_edge import NOTHING_RUN, FakeEngine, Received, answer, post, running_edge


def problem(received: Received) -> dict[str, Any]:
    """The problem in an answer; checked for what every problem has."""
    body: dict[str, Any] = json.loads(received.body)
    assert received.headers["content-type"] == "application/problem+json"
    assert body["type"] == f"/problems/{body['reason']}"
    assert body["status"] == received.status
    assert body["instance"] == received.headers["x-request-id"]
    assert body["title"]
    assert body["detail"]
    return body


@pytest.mark.parametrize("path", DIALECTS)
async def test_batch_goes_to_the_dialect_of_its_path(path: str) -> None:
    engine = FakeEngine(b'{"answer": 1}')
    async with running_edge(engine) as edge:
        received = await edge.send(post(b'{"requests": []}', path))
    asked = engine.asked[0]
    assert (received.status, received.body) == (200, b'{"answer": 1}')
    assert (asked.body, asked.dialect) == (b'{"requests": []}', DIALECTS[path])


async def test_answer_says_what_caches_and_operators_need_and_no_version() -> None:
    async with running_edge() as edge:
        received = await edge.send(post())
        reported = await edge.exchange()
    del received.headers["date"]
    assert received.headers == {
        "content-type": "application/json",
        "content-length": "2",
        "cache-control": "no-store",
        "vary": "accept, accept-encoding, origin",
        "x-request-id": reported.context.request_id,
        "server": "gateway",
    }


async def test_request_that_is_over_is_reported() -> None:
    async with running_edge(FakeEngine(b"12345")) as edge:
        await edge.send(post(b'{"a": 1}'))
        reported = await edge.exchange()
    assert (reported.route, reported.dialect, reported.method, reported.status) == ("/batch", "native", "POST", 200)
    assert (reported.bytes_in, reported.bytes_out, reported.reason, reported.bug) == (8, 5, None, None)
    assert reported.finished is NOTHING_RUN
    assert reported.context.client == "127.0.0.1"


@pytest.mark.parametrize(
    ("sent", "status", "reason", "header"),
    [
        (b"GET /batch HTTP/1.1\r\nhost: a\r\n\r\n", 405, Reason.METHOD_NOT_ALLOWED, ("allow", "POST")),
        (b"OPTIONS /batch HTTP/1.1\r\nhost: a\r\n\r\n", 405, Reason.METHOD_NOT_ALLOWED, ("allow", "POST")),
        (b"GET /other HTTP/1.1\r\nhost: a\r\n\r\n", 404, Reason.NOT_FOUND, None),
        (post(path="/batch/"), 404, Reason.NOT_FOUND, None),
        (post(path="/%62atch"), 404, Reason.NOT_FOUND, None),
        (post(path="/batch", via="1.1 Gateway"), 508, Reason.LOOP_DETECTED, None),
        (post(content_type="text/plain"), 415, Reason.UNSUPPORTED_MEDIA_TYPE, None),
        (post(content_encoding="br"), 415, Reason.UNSUPPORTED_ENCODING, ("accept-encoding", "gzip, deflate")),
        (post(b"no gzip", content_encoding="gzip"), 400, Reason.BAD_REQUEST, None),
        (post(b"x" * 101), 413, Reason.PAYLOAD_TOO_LARGE, None),
        (post(b"x", content_length="999999999"), 413, Reason.PAYLOAD_TOO_LARGE, None),
        (post(gzip.compress(b"x" * 10_000_000), content_encoding="gzip"), 413, Reason.PAYLOAD_TOO_LARGE, None),
    ],
)
async def test_refusal_is_a_problem_and_nothing_runs(
    sent: bytes, status: int, reason: Reason, header: tuple[str, str] | None
) -> None:
    async with running_edge(body=20_000 if b"gzip" in sent else 100) as edge:
        received = await edge.send(sent)
        reported = await edge.exchange()
        assert edge.engine.asked == []
    assert (received.status, problem(received)["reason"]) == (status, reason)
    assert (reported.status, reported.reason) == (status, reason)
    if header is not None:
        assert received.headers[header[0]] == header[1]


async def test_head_gets_the_head_of_the_refusal_and_the_next_request_its_answer() -> None:
    async with running_edge() as edge:
        client = await edge.connect()
        client.write(b"HEAD /batch HTTP/1.1\r\nhost: a\r\n\r\n" + post())
        head = await client.reader.readuntil(b"\r\n\r\n")
        received = await client.receive()
    assert head.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
    assert b"Content-Length: 0" not in head
    assert (received.status, received.body) == (200, b"{}")


@pytest.mark.parametrize(
    ("version", "asked", "said"),
    [
        ("1.1", "", None),
        ("1.1", "keep-alive", None),
        ("1.1", "close", "close"),
        ("1.0", "", None),
        ("1.0", "keep-alive", "keep-alive"),
    ],
)
async def test_connection_goes_on_as_asked_and_the_answer_says_so_where_the_version_does_not(
    version: str, asked: str, said: str | None
) -> None:
    async with running_edge() as edge:
        received = await edge.send(post(connection=asked).replace(b"HTTP/1.1", f"HTTP/{version}".encode()))
    assert (received.version, received.headers.get("connection")) == (f"HTTP/{version}", said)


async def test_header_that_would_become_two_is_never_written() -> None:
    engine = FakeEngine(holds=True)
    async with running_edge(engine) as edge:
        client = await edge.connect()
        client.write(post())
        await engine.arrived.wait()
        engine.asked[0].reply.set_result(Answer(200, (("x-a", "b\r\nx-c: d"),), b"{}", NOTHING_RUN))
        received = await client.receive()
    assert (received.status, "x-c" in received.headers) == (500, False)


@pytest.mark.parametrize(("size", "status"), [(99, 200), (100, 200), (101, 413)])
@pytest.mark.parametrize("framing", ["length", "chunked", "gzip"])
async def test_body_limit(size: int, status: int, framing: str) -> None:
    body = b"x" * size
    match framing:
        case "length":
            sent = post(body)
        case "chunked":
            head = post(b"", transfer_encoding="chunked").replace(b"content-length: 0\r\n", b"")
            sent = head + b"".join(b"1\r\nx\r\n" for _ in body) + b"0\r\n\r\n"
        case _:
            sent = post(gzip.compress(body), content_encoding="gzip")
    async with running_edge(body=100) as edge:
        received = await edge.send(sent)
        if status == 200:
            assert edge.engine.asked[0].body == body
    assert received.status == status


async def test_large_body_that_was_held_up_behind_another_batch_is_read_on() -> None:
    engine, large = FakeEngine(holds=True), b"x" * (3 << 20)
    async with running_edge(engine, body=len(large)) as edge:
        client = await edge.connect()
        client.write(post() + post(large))
        await engine.arrived.wait()
        await asyncio.wait([asyncio.ensure_future(client.writer.drain())], timeout=0.05)
        engine.holds = False
        engine.asked[0].reply.set_result(answer(b"first"))
        received = [(await client.receive()).body for _ in range(2)]
    assert received == [b"first", b"{}"]
    assert [len(asked.body) for asked in engine.asked] == [2, len(large)]


async def test_client_that_waits_for_100_is_told_to_go_on() -> None:
    async with running_edge() as edge:
        client = await edge.connect()
        sent = post(b'{"a":1}', expect="100-continue")
        client.write(sent[:-7])
        assert (await client.reader.readuntil(b"\r\n\r\n")) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.write(sent[-7:])
        assert (await client.receive()).status == 200


async def test_client_that_waits_for_100_learns_at_once_that_it_is_too_much() -> None:
    async with running_edge(body=3) as edge:
        client = await edge.connect()
        client.write(post(b"1234", expect="100-continue")[:-4])
        head = await client.reader.readuntil(b"\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")


async def test_crash_is_a_500_that_tells_the_log_and_not_the_client() -> None:
    engine = FakeEngine(holds=True)
    async with running_edge(engine) as edge:
        client = await edge.connect()
        client.write(post())
        await engine.arrived.wait()
        engine.asked[0].reply.set_exception(RuntimeError("secret"))
        received = await client.receive()
        reported = await edge.exchange()
    assert (received.status, problem(received)["reason"]) == (500, "internal")
    assert b"secret" not in received.body
    assert str(reported.bug) == "secret"


@pytest.mark.parametrize(("held", "status"), [(94, 200), (95, 503)])
async def test_above_95_percent_of_the_buffer_no_batch_is_taken(held: int, status: int) -> None:
    async with running_edge(buffered=100) as edge:
        edge.budget.take(held)
        received = await edge.send(post())
        assert edge.budget.held == held
    assert received.status == status
    if status == 503:
        assert received.headers["retry-after"] == "1"
        assert problem(received)["reason"] == "overloaded"


@pytest.mark.parametrize(("size", "status"), [(97, 200), (98, 200), (99, 507)])
async def test_answer_that_does_not_fit_the_buffer_is_507(size: int, status: int) -> None:
    async with running_edge(FakeEngine(b"x" * size), buffered=100) as edge:
        received = await edge.send(post(b"{}"))
        await edge.exchange()
        assert edge.budget.held == 0
    assert received.status == status


@pytest.mark.parametrize("size", [SLICE - 1, SLICE, SLICE + 1, 5 * SLICE + 3])
async def test_answer_of_any_size_arrives_whole(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    async with running_edge(FakeEngine(body[:size])) as edge:
        received = await edge.send(post())
        await edge.exchange()
        assert edge.budget.held == 0
    assert received.body == body[:size]


async def test_bytes_are_held_while_a_batch_runs() -> None:
    engine = FakeEngine(holds=True)
    async with running_edge(engine) as edge:
        client = await edge.connect()
        client.write(post(b"12345"))
        await engine.arrived.wait()
        assert edge.budget.held == 5
        engine.asked[0].reply.set_result(answer(b"{}"))
        await client.receive()
        await edge.exchange()
        assert edge.budget.held == 0


async def test_draining_edge_ends_connections_with_their_answers() -> None:
    async with running_edge() as edge:
        client = await edge.connect()
        client.write(post())
        kept = await client.receive()
        edge.edge.drain()
        client.write(post())
        last = await client.receive()
        assert await client.is_closed()
        fresh = await edge.send(post())
    assert "connection" not in kept.headers
    assert (last.headers["connection"], fresh.headers["connection"]) == ("close", "close")


async def test_edge_that_stopped_listening_closes_idle_connections_and_serves_the_rest() -> None:
    engine = FakeEngine()
    async with running_edge(engine) as edge:
        idle, busy = await edge.connect(), await edge.connect()
        idle.write(post())
        await idle.receive()
        engine.holds = True
        engine.arrived.clear()
        busy.write(post())
        await engine.arrived.wait()
        await edge.edge.stop_listening()
        assert await idle.is_closed()
        assert not await edge.edge.wait_until_quiet(0.0)
        with pytest.raises(ConnectionError):
            await edge.connect()
        engine.asked[1].reply.set_result(answer(b"{}"))
        assert (await busy.receive()).status == 200
        assert await edge.edge.wait_until_quiet(10.0)


async def test_gateway_of_another_name_does_not_see_itself_in_via() -> None:
    async with running_edge(trust=Trust("edge-2")) as edge:
        received = await edge.send(post(via="1.1 gateway"))
    assert (received.status, received.headers["server"]) == (200, "edge-2")
