"""What clients do to the gateway: HTTP that is slow, broken or greedy. The first lines of each test name the fault.

Times are short so that the tests are; what is asserted is that the end comes, and what the client and the books see of it.
"""

import asyncio
import gzip
import json
import socket
import struct
import zlib
from collections.abc import Callable

import pytest

from gateway.messages import Reason
from gateway.server.settings import Patience
from tests.support.public_edge import FakeEngine, answer, post, running_edge

SOON = 0.05
BIG = b"x" * (8 << 20)
"""More than the kernel's buffers on both sides of a connection take."""


# Slow, silent and stalled clients


@pytest.mark.parametrize("sent", [b"", b"POST /ba", b"POST /batch HTTP/1.1\r\nhost: a\r\nx-a: "])
async def test_silent_connection_and_half_a_head_are_closed(sent: bytes) -> None:
    async with running_edge(patience=Patience(header_timeout=SOON)) as edge:
        client = await edge.connect()
        client.write(sent)
        assert await client.is_closed()
        assert edge.engine.asked == []


async def test_head_that_trickles_is_closed() -> None:
    async with running_edge(patience=Patience(header_timeout=SOON)) as edge:
        client = await edge.connect()
        client.write(b"POST /batch HTTP/1.1\r\nx-a: ")
        closed = asyncio.ensure_future(client.is_closed())
        while not closed.done():
            client.write(b"b")
            await asyncio.wait([closed], timeout=SOON / 5)
        assert closed.result()


async def test_half_a_head_on_a_kept_connection_is_closed() -> None:
    async with running_edge(patience=Patience(header_timeout=SOON)) as edge:
        client = await edge.connect()
        client.write(post())
        assert (await client.receive()).status == 200
        client.write(b"POST /batch HTTP/1.1\r\n")
        assert await client.is_closed()


async def test_kept_connection_outlives_the_time_for_a_head_but_not_for_keep_alive() -> None:
    async with running_edge(patience=Patience(header_timeout=SOON, keepalive_timeout=SOON * 6)) as edge:
        client = await edge.connect()
        client.write(post())
        await client.receive()
        closed = asyncio.ensure_future(client.is_closed())
        await asyncio.wait([closed], timeout=SOON * 3)
        assert not closed.done()
        assert await closed


async def test_body_that_does_not_come_is_408() -> None:
    async with running_edge(patience=Patience(body_timeout=SOON)) as edge:
        client = await edge.connect()
        client.write(post(b"{}", content_length="100"))
        received = await client.receive()
        assert (received.status, json.loads(received.body)["reason"]) == (408, "request-timeout")
        assert received.headers["connection"] == "close"
        assert (await edge.exchange()).reason is Reason.REQUEST_TIMEOUT
        assert edge.budget.held == 0


async def test_client_that_does_not_read_is_cut_off_and_its_bytes_are_given_back() -> None:
    async with running_edge(FakeEngine(BIG), patience=Patience(write_timeout=SOON)) as edge:
        client = await edge.connect()
        client.stop_reading()
        client.write(post())
        reported = await edge.exchange()
        assert (reported.status, reported.reason) == (499, Reason.CLIENT_GONE)
        assert edge.budget.held == 0


async def test_client_that_reads_slowly_gets_everything() -> None:
    async with running_edge(FakeEngine(BIG), patience=Patience(write_timeout=SOON * 4)) as edge:
        client = await edge.connect()
        client.write(post())
        await client.reader.readuntil(b"\r\n\r\n")
        read = 0
        while read < len(BIG):
            read += len(await client.reader.read(1 << 18))
            await asyncio.sleep(SOON / 5)
    assert read == len(BIG)


async def test_clients_that_do_not_read_hold_no_more_than_the_budget() -> None:
    engine = FakeEngine(BIG)
    async with running_edge(engine, buffered=3 * len(BIG) + 100) as edge:
        greedy = [await edge.connect() for _ in range(6)]
        for client in greedy:
            client.stop_reading()
            client.write(post())
        # Three answers fit; those of the others are given up, or never begun.
        refused = [await edge.exchange(count) for count in (1, 2, 3)]
        assert {reported.status for reported in refused} <= {503, 507}
        assert edge.budget.held <= edge.budget.limit
        late = await edge.send(post())
        assert (late.status, late.headers["retry-after"]) == (503, "1")
        for client in greedy:
            await client.leave()
        await edge.exchange(7)
        assert edge.budget.held == 0
        assert (await edge.send(post())).status == 200


# Clients that leave


def leave_with_reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


def leave_with_fin(writer: asyncio.StreamWriter) -> None:
    writer.close()


def leave_half(writer: asyncio.StreamWriter) -> None:
    writer.write_eof()


@pytest.mark.parametrize("leave", [leave_with_fin, leave_with_reset, leave_half])
async def test_client_that_leaves_cancels_its_batch(leave: Callable[[asyncio.StreamWriter], None]) -> None:
    engine = FakeEngine(holds=True)
    async with running_edge(engine) as edge:
        client = await edge.connect()
        client.write(post())
        await engine.arrived.wait()
        leave(client.writer)
        reported = await edge.exchange()
        assert engine.cancelled == 1
        assert (reported.status, reported.reason) == (499, Reason.CLIENT_GONE)
        assert edge.budget.held == 0
        assert await edge.edge.wait_until_quiet(10.0)


async def test_client_that_leaves_while_sending_is_reported() -> None:
    async with running_edge() as edge:
        client = await edge.connect()
        client.write(post(b"{}", content_length="100"))
        await client.writer.drain()
        await client.leave()
        reported = await edge.exchange()
        assert (reported.status, reported.reason) == (499, Reason.CLIENT_GONE)
        assert edge.engine.asked == []
        assert edge.budget.held == 0


# Many requests and many connections


async def test_pipelined_batches_are_answered_in_order() -> None:
    async with running_edge() as edge:
        client = await edge.connect()
        client.write(b"".join(post(b"%d" % number) for number in range(100)))
        statuses = [(await client.receive()).status for _ in range(100)]
        assert statuses == [200] * 100
        assert [asked.body for asked in edge.engine.asked] == [b"%d" % number for number in range(100)]


async def test_kept_connection_serves_a_thousand_requests_and_keeps_nothing() -> None:
    async with running_edge() as edge:
        client = await edge.connect()
        for _ in range(1000):
            client.write(post())
            await client.receive()
        assert (edge.edge.connections, edge.budget.held, edge.edge.serving) == (1, 0, 0)


async def test_one_connection_too_many_is_told_so_and_closed() -> None:
    engine = FakeEngine()
    async with running_edge(engine, patience=Patience(connections=2)) as edge:
        kept = [await edge.connect() for _ in range(2)]
        for client in kept:
            client.write(post())
            assert (await client.receive()).status == 200
        extra = await edge.connect()
        received = await extra.receive()
        assert (received.status, received.headers["retry-after"]) == (503, "1")
        assert json.loads(received.body)["reason"] == "overloaded"
        assert await extra.is_closed()
        engine.holds = True
        kept[0].write(post())
        await edge.exchange(2)
        await kept[0].leave()
        assert (await edge.exchange(3)).status == 499
        engine.holds = False
        assert (await edge.send(post())).status == 200


# Versions and forms of HTTP


async def test_http_1_0_is_answered_and_closed() -> None:
    async with running_edge() as edge:
        received = await edge.send(post().replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert (received.status, received.version, received.headers.get("connection")) == (200, "HTTP/1.0", None)


async def test_absolute_form_is_answered() -> None:
    async with running_edge() as edge:
        assert (await edge.send(post(path="http://gateway.test/batch"))).status == 200


@pytest.mark.parametrize("version", [b"HTTP/0.9", b"HTTP/2.0"])
async def test_other_versions_are_505(version: bytes) -> None:
    async with running_edge() as edge:
        received = await edge.send(post().replace(b"HTTP/1.1", version))
        assert edge.engine.asked == []
    assert (received.status, json.loads(received.body)["reason"]) == (505, "unsupported-version")


@pytest.mark.parametrize(
    ("line", "status"),
    [(b"OPTIONS * HTTP/1.1", 404), (b"CONNECT example.com:80 HTTP/1.1", 404), (b"GET http://other/ HTTP/1.1", 404)],
)
async def test_other_targets_are_404(line: bytes, status: int) -> None:
    async with running_edge() as edge:
        received = await edge.send(line + b"\r\nhost: example.com\r\n\r\n")
    assert (received.status, json.loads(received.body)["reason"]) == (status, "not-found")


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
async def test_upgrade_is_ignored(protocol: str) -> None:
    async with running_edge() as edge:
        received = await edge.send(post(connection="Upgrade, HTTP2-Settings", upgrade=protocol, http2_settings="AAMAAABk"))
    assert received.status == 200


async def test_header_with_underscore_does_not_stand_for_another() -> None:
    async with running_edge() as edge:
        await edge.send(post().replace(b"host:", b"X_Forwarded_For: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\nhost:"))
        context = edge.engine.asked[0].context
    assert context.headers == ()
    assert dict(context.identity)["x-forwarded-for"] == "127.0.0.1"


# Requests that are no HTTP, or could be read in two ways

HEAD = b"POST /batch HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"

MALFORMED = {
    "content-length and transfer-encoding": HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two content-lengths": HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "two equal content-lengths": HEAD + b"content-length: 2\r\ncontent-length: 2\r\n\r\n{}",
    "content-length with a sign": HEAD + b"content-length: +2\r\n\r\n{}",
    "content-length list": HEAD + b"content-length: 2, 2\r\n\r\n{}",
    "negative content-length": HEAD + b"content-length: -2\r\n\r\n{}",
    "xchunked": HEAD + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked, identity": HEAD + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "space before colon": HEAD + b"content-length : 2\r\n\r\n{}",
    "bare LF": HEAD.replace(b"\r\n", b"\n") + b"content-length: 2\n\n{}",
    "folded line": HEAD + b"x-a: b\r\n c\r\ncontent-length: 2\r\n\r\n{}",
    "two hosts": HEAD + b"host: b\r\ncontent-length: 2\r\n\r\n{}",
    "no host": HEAD.replace(b"host: a\r\n", b"") + b"content-length: 2\r\n\r\n{}",
    "NUL in a value": HEAD + b"x-a: b\x00c\r\ncontent-length: 2\r\n\r\n{}",
    "long request line": b"POST /" + b"a" * 9000 + b" HTTP/1.1\r\nhost: a\r\n\r\n",
    "long header": HEAD + b"x-a: " + b"b" * 9000 + b"\r\n\r\n",
    "too many headers": HEAD + b"".join(b"x-%d: a\r\n" % number for number in range(200)) + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03SECRET" + b"\x00" * 100,
    "no HTTP at all": b"SECRET\r\n\r\n",
    "space in target": b"GET /a SECRET HTTP/1.1\r\nhost: a\r\n\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED.keys())
async def test_malformed_request_is_a_400_problem_that_echoes_nothing(sent: bytes) -> None:
    async with running_edge() as edge:
        client = await edge.connect()
        client.write(sent)
        received = await client.receive()
        assert await client.is_closed()
        reported = await edge.exchange()
        assert edge.engine.asked == []
    body = json.loads(received.body)
    assert received.headers["content-type"] == "application/problem+json"
    assert (received.status, body["reason"]) == (400, "bad-request")
    assert body["instance"] == received.headers["x-request-id"] == reported.context.request_id
    assert b"SECRET" not in received.body
    assert received.headers["server"] == "gateway"


@pytest.mark.parametrize(
    "chunks", [b"zz\r\n{}\r\n0\r\n\r\n", b"ffffffffffffffffffff\r\n{}\r\n0\r\n\r\n", b"2\r\n{}X", b"-1\r\n{}\r\n"]
)
async def test_broken_chunks_are_400(chunks: bytes) -> None:
    async with running_edge() as edge:
        received = await edge.send(HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunks)
        assert edge.engine.asked == []
    assert (received.status, json.loads(received.body)["reason"]) == (400, "bad-request")


async def test_broken_chunks_after_the_head_was_read_are_400() -> None:
    async with running_edge() as edge:
        client = await edge.connect()
        client.write(HEAD + b"transfer-encoding: chunked\r\nexpect: 100-continue\r\n\r\n")
        await client.reader.readuntil(b"\r\n\r\n")
        client.write(b"zz\r\n")
        received = await client.receive()
    assert received.status == 400


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_bomb_is_413(encoding: str) -> None:
    bomb = gzip.compress(b"\0" * (50 << 20)) if encoding == "gzip" else zlib.compress(b"\0" * (50 << 20))
    async with running_edge() as edge:
        received = await edge.send(post(bomb, content_encoding=encoding))
        assert edge.engine.asked == []
        await edge.exchange()
        assert edge.budget.held == 0
    assert received.status == 413


async def test_gateway_serves_on_after_all_of_this() -> None:
    engine = FakeEngine(holds=True)
    async with running_edge(engine, patience=Patience(header_timeout=SOON)) as edge:
        good = await edge.connect()
        good.write(post())
        await engine.arrived.wait()
        for sent in MALFORMED.values():
            client = await edge.connect()
            client.write(sent)
            await client.receive()
        engine.asked[0].reply.set_result(answer(b"good"))
        assert (await good.receive()).body == b"good"
