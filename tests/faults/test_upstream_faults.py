"""What upstreams do wrong, and what becomes of the one request it happens to. Rows D1 to D24 of the fault table.

Every upstream here is a raw socket. Each row asks twice: the faulty answer is judged, and the next request must be clean.
"""

import asyncio
import gzip
import tracemalloc
import zlib
from pathlib import Path
from typing import Self

import pytest

from gateway.config.upstreams import UpstreamSettings
from gateway.messages import Failure, Reason, Response
from gateway.upstreams.breaker import Circuit
from gateway.upstreams.stack import Upstreams
from tests.support.room import ask, begin, room_for
from tests.support.upstream import (
    Answer,
    Arrival,
    Script,
    ScriptedUpstream,
    close,
    drip,
    refused_port,
    reset,
    respond,
    respond_chunked,
    respond_json,
)

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SAID_BY_UPSTREAM = "s3cr3t-upstream-words"


def first_then_well(fault: Answer | bytes) -> Script:
    """Answer the first request with the fault and every other one well."""
    seen: list[Arrival] = []

    def script(arrival: Arrival) -> Answer | bytes:
        seen.append(arrival)
        return fault if len(seen) == 1 else respond_json({"ok": True})

    return script


async def suffer(fault: Answer | bytes, method: str = "GET", patience: float = 5.0, limit: int = 4 << 20) -> Response | Failure:
    """The outcome of one request to the faulty upstream, after a second one has been answered as if nothing had happened."""
    async with ScriptedUpstream(first_then_well(fault)) as upstream, room_for(upstream.url, response_limit=limit) as room:
        outcome = await room.send(ask(method=method, patience=patience))
        after = await room.send(ask())
        assert isinstance(after, Response), after
        assert (after.status, after.body) == (200, b'{"ok": true}')
        assert [arrival.method for arrival in upstream.arrivals] == [method, "GET"]
        gauges = room.gauges()["users"]
        assert (gauges.in_flight, gauges.waiting, gauges.connections) == (0, 0, 1)
        if isinstance(outcome, Failure):
            assert upstream.url in outcome.detail
            assert SAID_BY_UPSTREAM not in outcome.detail
        return outcome


def reason_of(outcome: Response | Failure) -> Reason | None:
    return outcome.reason if isinstance(outcome, Failure) else None


# D1


async def test_d1_refused() -> None:
    url = f"http://127.0.0.1:{refused_port()}"
    async with room_for(url) as room:
        assert await room.send(ask(method="POST")) == Failure(Reason.UPSTREAM_CONNECT, f"users ({url}) refused the connection")


async def test_d1_a_name_that_does_not_exist() -> None:
    async with room_for("http://users.invalid") as room:
        outcome = await room.send(ask(method="POST"))
    assert outcome == Failure(Reason.UPSTREAM_DNS, "users (http://users.invalid) has a name that could not be resolved")


async def test_d1_nobody_accepts() -> None:
    # An upstream for TLS to which the client says nothing it understands would answer; one that never answers is what hangs.
    async with ScriptedUpstream() as upstream, room_for(f"https://127.0.0.1:{upstream.port}", connect_timeout=0.05) as room:
        outcome = await room.send(ask(method="POST"))
    assert isinstance(outcome, Failure)
    assert (outcome.reason, outcome.maybe_processed) == (Reason.UPSTREAM_TIMEOUT, False)
    assert outcome.detail.endswith("accepted no connection within 0.05 s")


# D3, D8


@pytest.mark.parametrize(
    "fault",
    [
        close(),
        reset(),
        close(b"HTTP/1.1 200 OK\r\nContent-Le"),
        reset(b"HTTP/1.1 200 OK\r\nContent-Le", pause=0.02),
        close(HEAD + b"Content-Length: 10\r\n\r\nabc"),
        reset(HEAD + b"Content-Length: 10\r\n\r\nabc", pause=0.02),
        close(CHUNKED + b"5\r\nabc"),
        close(CHUNKED + b"3\r\nabc\r\n"),
        reset(CHUNKED + b"3\r\nabc\r\n", pause=0.02),
    ],
    ids=[
        "close",
        "reset",
        "close in the head",
        "reset in the head",
        "short content-length",
        "reset in the body",
        "short chunk",
        "no last chunk",
        "reset between chunks",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_d3_d8_closed(fault: Answer, method: str) -> None:
    outcome = await suffer(fault, method)
    assert isinstance(outcome, Failure)
    assert (outcome.reason, outcome.maybe_processed) == (Reason.UPSTREAM_CLOSED, method == "POST")


async def test_d3_accepted_and_closed_at_once() -> None:
    async with ScriptedUpstream(on_connect=lambda _: close()) as upstream, room_for(upstream.url) as room:
        assert reason_of(await room.send(ask())) is Reason.UPSTREAM_CLOSED


# D4, D5


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Answer(), "did not begin to answer in time"),
        (Answer((b"HTTP/1.1 200 OK\r\nContent-",)), "did not begin to answer in time"),
        (Answer((HEAD + b"Content-Length: 10\r\n\r\n",)), "did not finish its answer in time"),
        (Answer((HEAD + b"Content-Length: 10\r\n\r\nabc",)), "did not finish its answer in time"),
        (drip(HEAD + b"Content-Length: 10\r\n\r\n" + b"x" * 10, pause=0.02), "did not begin to answer in time"),
        (drip(HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000, size=50, pause=0.02), "did not finish its answer in time"),
    ],
    ids=["before the head", "in the head", "after the head", "in the body", "dripping head", "dripping body"],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_d4_d5_too_slow(fault: Answer, says: str, method: str) -> None:
    async with ScriptedUpstream(lambda _: fault) as upstream, room_for(upstream.url) as room:
        outcome = await room.send(ask(method=method, patience=0.1))
        assert outcome == Failure(Reason.UPSTREAM_TIMEOUT, f"users ({upstream.url}) {says}", maybe_processed=method == "PUT")
        await upstream.exchanges[0].gone()
        assert room.gauges()["users"].connections == 0


# D6, D7, D12


@pytest.mark.parametrize(
    "raw",
    [
        b"\x15\x03\x01\x00\x02\x02\x16",
        SAID_BY_UPSTREAM.encode(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"HTTP/1.1 abc X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 99 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 1000 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nhello",
        CHUNKED[:-2] + b"Content-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        HEAD + b"Content-Length: -3\r\n\r\nabc",
        CHUNKED + b"zz\r\nabc",
        HEAD + b"X: " + b"a" * 20_000 + b"\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"".join(b"x%d: 1\r\n" % number for number in range(200)) + b"Content-Length: 0\r\n\r\n",
        HEAD + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"X: a\x01b\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
        HEAD + b"X Y: " + SAID_BY_UPSTREAM.encode() + b"\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=[
        "TLS",
        "no HTTP",
        "HTTP/2",
        "status abc",
        "status 99",
        "status 600",
        "status 999",
        "status 1000",
        "status 101",
        "content-length and chunked",
        "two content-lengths",
        "negative content-length",
        "bad chunk size",
        "20 kB header",
        "200 headers",
        "NUL in a header",
        "control in a header",
        "folded line",
        "blank in a header name",
    ],
)
async def test_d6_d7_d12_not_http(raw: bytes) -> None:
    assert reason_of(await suffer(raw)) is Reason.UPSTREAM_PROTOCOL


@pytest.mark.parametrize(
    "later", [b"zz\r\n", b"3\r\nabcdef\r\n", b"f" * 40 + b"\r\n"], ids=["bad size", "overflow", "huge size"]
)
async def test_d7_a_chunk_that_is_malformed_later_does_not_hang(later: bytes) -> None:
    outcome = await suffer(Answer((CHUNKED + b"3\r\nabc\r\n", later), pause=0.02))
    assert reason_of(outcome) is Reason.UPSTREAM_PROTOCOL


async def test_d12_unusual_header_values_are_text() -> None:
    outcome = await suffer(HEAD + b"X: a\xff\xe9b\r\nContent-Length: 0\r\n\r\n")
    assert outcome == Response(200, (("x", "aÿéb"),), b"")


# D9, S1


async def test_d9_bytes_after_the_answer_are_nobodys() -> None:
    extra = HEAD + b"Content-Length: 2\r\n\r\nok" + HEAD + b"Content-Length: 4\r\n\r\nEVIL"
    outcome = await suffer(extra)
    assert isinstance(outcome, Response)
    assert outcome.body == b"ok"


async def test_d9_an_answer_nobody_asked_for_is_not_given_to_the_next() -> None:
    async with ScriptedUpstream(lambda _: respond_json({"ok": True})) as upstream, room_for(upstream.url) as room:
        for number in range(3):
            outcome = await room.send(ask())
            assert isinstance(outcome, Response)
            assert outcome.body == b'{"ok": true}'
            assert upstream.connections == number + 1
            evil = upstream.exchanges[-1]
            evil.answer(HEAD + b"Content-Length: 4\r\n\r\nEVIL")
            # Another upstream's answer, to know that the bytes have come round the loop before the next request goes out.
            async with ScriptedUpstream(lambda _: respond()) as other, room_for(other.url) as bystander:
                await bystander.send(ask())


# D10


@pytest.mark.parametrize(
    "interim",
    [b"HTTP/1.1 100 Continue\r\n\r\n" * 5000, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"],
    ids=["100 five thousand times", "103"],
)
async def test_d10_interim_answers_are_skipped(interim: bytes) -> None:
    outcome = await suffer(interim + HEAD + b"Content-Length: 2\r\n\r\nok")
    assert outcome == Response(200, (), b"ok")


# D11


@pytest.mark.parametrize("status", [204, 304])
async def test_d11_bodies_where_none_may_be_are_nobodys(status: int) -> None:
    outcome = await suffer(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % status)
    assert outcome == Response(status, (), b"")


async def test_d11_the_body_of_a_head_answer_is_nobodys() -> None:
    outcome = await suffer(HEAD + b"Content-Length: 2\r\n\r\nok", method="HEAD")
    assert outcome == Response(200, (), b"")


@pytest.mark.parametrize(
    ("method", "raw", "status"),
    [
        ("HEAD", HEAD + b"Content-Length: 100000000\r\nContent-Encoding: br\r\n\r\n", 200),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100000000\r\n\r\n", 304),
    ],
)
async def test_answers_without_a_body_leave_the_connection_usable(method: str, raw: bytes, status: int) -> None:
    async with ScriptedUpstream(first_then_well(raw)) as upstream, room_for(upstream.url) as room:
        outcome = await room.send(ask(method=method))
        await room.send(ask())
        assert outcome == Response(status, (), b"")
        assert upstream.connections == 1


# D13, D14

LIMIT = 100_000
ZEROS = b"\0" * 50_000_000
BOMB = gzip.compress(ZEROS)
CODED = (("Content-Encoding", "gzip"),)


@pytest.mark.parametrize(("size", "fits"), [(LIMIT - 1, True), (LIMIT, True), (LIMIT + 1, False)])
@pytest.mark.parametrize("framing", ["content-length", "chunked", "gzip", "until close"])
async def test_d13_the_limit_is_on_the_decoded_body(framing: str, size: int, fits: bool) -> None:
    text = b"x" * size
    answers = {
        "content-length": respond(200, text),
        "chunked": respond_chunked(text),
        "gzip": respond(200, gzip.compress(text), CODED),
        "until close": close(HEAD + b"\r\n" + text),
    }
    outcome = await suffer(answers[framing], limit=LIMIT)
    if fits:
        assert outcome == Response(200, (), text)
    else:
        assert reason_of(outcome) is Reason.UPSTREAM_TOO_LARGE
        assert f"answered with more than {LIMIT} bytes" in outcome.detail  # type: ignore[union-attr]


async def test_d13_a_content_length_over_the_limit_is_not_read() -> None:
    outcome = await suffer(HEAD + b"Content-Length: 100001\r\n\r\n", limit=LIMIT)
    assert reason_of(outcome) is Reason.UPSTREAM_TOO_LARGE


async def test_d13_a_bomb_is_not_unpacked() -> None:
    tracemalloc.start()
    try:
        outcome = await suffer(respond(200, BOMB, CODED), limit=LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert reason_of(outcome) is Reason.UPSTREAM_TOO_LARGE
    assert peak < len(ZEROS) / 10


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"this is no gzip"),
        ("gzip", gzip.compress(b"hello")[:-3]),
        ("gzip, gzip", gzip.compress(gzip.compress(b"hello"))),
        ("br, gzip", gzip.compress(b"hello")),
        ("br", b"this is no brotli"),
        ("zstd", b"this is no zstd"),
        ("x-made-up", b"hello"),
    ],
    ids=["no gzip", "cut", "gzip twice", "two codings", "no brotli", "no zstd", "unknown"],
)
async def test_d14_what_cannot_be_decoded(coding: str, body: bytes) -> None:
    assert reason_of(await suffer(respond(200, body, (("Content-Encoding", coding),)))) is Reason.UPSTREAM_ENCODING


@pytest.mark.parametrize(("coding", "body"), [("gzip", gzip.compress(b"hello", mtime=0)), ("deflate", zlib.compress(b"hello"))])
async def test_what_was_offered_is_decoded(coding: str, body: bytes) -> None:
    outcome = await suffer(respond(200, body, (("Content-Encoding", coding),)))
    assert outcome == Response(200, (), b"hello")


# D17, D18


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_d17_redirects_are_answers(status: int) -> None:
    async with ScriptedUpstream() as elsewhere:
        outcome = await suffer(respond(status, headers=(("Location", f"{elsewhere.url}/"),)))
        assert outcome == Response(status, (("location", f"{elsewhere.url}/"),), b"")
        assert elsewhere.connections == 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503, 504, 599])
async def test_d18_errors_of_the_upstream_are_answers(status: int) -> None:
    outcome = await suffer(respond(status, b"no", (("Retry-After", "7"),)))
    assert outcome == Response(status, (("retry-after", "7"),), b"no")


# D19, S20


def make_stale() -> Script:
    """Answer the first request of the first connection, close it when the second comes, and be well from then on."""

    def script(arrival: Arrival) -> Answer:
        return close() if arrival.connection == 1 and arrival.target != "/warm" else respond(200)

    return script


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_d19_a_dead_connection_is_replaced_for_idempotent_requests(method: str) -> None:
    async with ScriptedUpstream(make_stale()) as upstream, room_for(upstream.url, retries=1) as room:
        await room.send(ask("/warm"))
        outcome = await room.send(ask("/again", method))
        assert isinstance(outcome, Response)
        ways = [(arrival.target, arrival.connection) for arrival in upstream.arrivals]
        assert ways == [("/warm", 1), ("/again", 1), ("/again", 2)]
        assert room.gauges()["users"].retries == {Reason.UPSTREAM_CLOSED: 1}


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_d19_an_unsafe_request_arrives_once_at_most(method: str) -> None:
    async with ScriptedUpstream(make_stale()) as upstream, room_for(upstream.url, retries=3) as room:
        await room.send(ask("/warm"))
        outcome = await room.send(ask("/once", method, body=b"{}"))
        assert outcome == Failure(
            Reason.UPSTREAM_CLOSED,
            f"users ({upstream.url}) closed the connection without an answer",
            maybe_processed=True,
        )
        assert [arrival.target for arrival in upstream.arrivals] == ["/warm", "/once"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_d19_nothing_is_sent_again_behind_our_back(method: str) -> None:
    async with ScriptedUpstream(make_stale()) as upstream, room_for(upstream.url, retries=0) as room:
        await room.send(ask("/warm"))
        assert reason_of(await room.send(ask("/once", method))) is Reason.UPSTREAM_CLOSED
        assert [arrival.target for arrival in upstream.arrivals] == ["/warm", "/once"]


# D20, S8


async def test_d20_what_is_not_for_clients_is_dropped() -> None:
    fields = (
        ("Set-Cookie", "sid=1"),
        ("Strict-Transport-Security", "max-age=1"),
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=5"),
        ("X-Kept", "yes"),
    )
    outcome = await suffer(respond(200, b"ok", fields))
    assert outcome == Response(200, (("x-kept", "yes"),), b"ok")


async def test_s8_a_cookie_is_shown_where_asked_for_and_never_sent_back() -> None:
    script = first_then_well(respond(200, b"", (("Set-Cookie", "sid=1; Path=/"),)))
    # By name: cookie jars do not take cookies from addresses, and would prove nothing.
    async with (
        ScriptedUpstream(script) as upstream,
        room_for(f"http://localhost:{upstream.port}", pass_set_cookie=True) as room,
    ):
        outcome = await room.send(ask())
        await room.send(ask())
        assert outcome.headers == (("set-cookie", "sid=1; Path=/"),)  # type: ignore[union-attr]
        assert [arrival.header("cookie") for arrival in upstream.arrivals] == [None, None]


# D21


async def test_d21_the_circuit_opens_and_recovers() -> None:
    answers = [respond(503)]
    breaker = {"minimum": 4, "failure_ratio": 0.5, "window": 10, "cooldown": 0.05}
    async with ScriptedUpstream(lambda _: answers[0]) as upstream, room_for(upstream.url, breaker=breaker) as room:
        for _ in range(4):
            await room.send(ask())
        assert room.gauges()["users"].circuit is Circuit.OPEN
        assert reason_of(await room.send(ask())) is Reason.CIRCUIT_OPEN
        assert len(upstream.arrivals) == 4
        answers[0] = respond(200)
        outcomes = [await room.send(ask())]
        while isinstance(outcomes[-1], Failure):
            await asyncio.sleep(0.005)  # the cooldown is a matter of time
            outcomes.append(await room.send(ask()))
        assert room.gauges()["users"].circuit is Circuit.CLOSED
        assert {reason_of(outcome) for outcome in outcomes[:-1]} == {Reason.CIRCUIT_OPEN}


# D23, S19


async def test_d23_cancelling_closes_the_connection_and_frees_the_place() -> None:
    async with ScriptedUpstream() as upstream, room_for(upstream.url, connections=1) as room:
        first = await begin(room, ask("/held"))
        await upstream.arrived(1)
        second = await begin(room, ask("/next"))
        first.cancel()
        await upstream.exchanges[0].gone()
        (await upstream.arrived(2)).answer(respond(200))
        assert isinstance(await second, Response)
        with pytest.raises(asyncio.CancelledError):
            await first
        gauges = room.gauges()["users"]
        assert (gauges.in_flight, gauges.waiting, gauges.connections) == (0, 0, 1)


async def test_d23_cancelling_in_the_middle_of_a_body_closes_the_connection() -> None:
    async with ScriptedUpstream() as upstream, room_for(upstream.url) as room:
        task = await begin(room, ask())
        exchange = await upstream.arrived(1)
        exchange.answer(HEAD + b"Content-Length: 10\r\n\r\nabc")
        await asyncio.sleep(0.01)  # for the head to arrive; wherever it has got to, the outcome is the same
        task.cancel()
        await exchange.gone()
        assert room.gauges()["users"].connections == 0


async def test_d23_cancelling_does_not_wait_for_an_upstream_that_stopped_reading() -> None:
    async with DeafUpstream() as upstream, room_for(upstream.url) as room:
        before = count_files()
        task = await begin(room, ask(method="PUT", body=b"x" * (64 << 20)))
        await upstream.connected.wait()
        await asyncio.sleep(0.05)  # for the buffers between the two to fill up
        task.cancel()
        await asyncio.wait([task])
        for _ in range(10):  # callbacks that are ready
            await asyncio.sleep(0)
        assert count_files() == before + 1  # the upstream's own end
        assert room.gauges()["users"].connections == 0


def count_files() -> int:
    """Files and sockets that this process has open."""
    return sum(1 for _ in Path("/dev/fd").iterdir())


class DeafUpstream:
    """Accepts and never reads, so that whoever sends to it is stuck with what the buffers do not take."""

    async def __aenter__(self) -> Self:
        self.connected = asyncio.Event()
        self._server = await asyncio.start_server(self._ignore, "127.0.0.1", 0, limit=1)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    async def _ignore(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.connected.set()


# D22, S16


async def test_d22_an_upstream_that_hangs_does_not_hold_up_another() -> None:
    async with ScriptedUpstream() as hanging, ScriptedUpstream(lambda _: respond(200, b"ok")) as well:
        settings = {"routes": ["/x"], "connections": 2, "queue": 1, "retries": 0}
        both = {
            "hanging": UpstreamSettings.model_validate({"url": hanging.url, **settings}),
            "well": UpstreamSettings.model_validate({"url": well.url, **settings}),
        }
        room = Upstreams(both, 1 << 20, asyncio.get_running_loop().time)
        await room.start()
        stuck = [await begin(room, ask()._replace(upstream="hanging")) for _ in range(3)]
        await hanging.arrived(2)
        assert reason_of(await room.send(ask()._replace(upstream="hanging"))) is Reason.UPSTREAM_OVERLOADED
        assert await room.send(ask()._replace(upstream="well")) == Response(200, (), b"ok")
        gauges = room.gauges()
        assert (gauges["hanging"].in_flight, gauges["hanging"].waiting, gauges["well"].in_flight) == (2, 1, 0)
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
        gauges = room.gauges()
        assert (gauges["hanging"].in_flight, gauges["hanging"].waiting, gauges["hanging"].connections) == (0, 0, 0)
        await room.close()


# D24


@pytest.mark.parametrize("answer", [respond(413, b"no"), close(respond(413, b"no").parts[0])], ids=["and stays", "and closes"])
async def test_d24_an_answer_before_the_body_was_read(answer: Answer) -> None:
    async with ScriptedUpstream(lambda _: answer, answer_at_head=True) as upstream, room_for(upstream.url) as room:
        outcome = await room.send(ask(method="POST", body=b"x" * 100_000))
        assert outcome == Response(413, (), b"no")
