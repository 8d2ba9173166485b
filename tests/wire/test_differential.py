"""What well-formed servers send, read by this client, by aiohttp's and by the standard library's: each reads the same."""

import asyncio
import gzip
import http.client
import zlib
from collections.abc import Callable
from typing import NamedTuple

import aiohttp
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.messages import Response
from gateway.upstreams.fields import NOT_FOR_CLIENTS
from tests.support.room import ask, room_for
from tests.support.upstream import Answer, Arrival, Fields, ScriptedUpstream

READING = {"content-encoding", "content-length", "transfer-encoding", "connection"}
"""Fields about how the bytes are to be read."""


ENCODE: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress}
DECODE: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}


class Sent(NamedTuple):
    """What a server means to say. `cuts` are the sizes of chunks, or of what it writes at a time."""

    method: str
    status: int
    reason: str
    headers: Fields
    body: bytes
    coding: str
    framing: str
    cuts: list[int]


class Read(NamedTuple):
    """What a client made of it: end-to-end fields in order, lower-case."""

    status: int
    headers: Fields
    body: bytes


names = st.from_regex(r"[Xx]-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}", fullmatch=True)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30).filter(
    lambda text: text == text.strip() and not any(0x80 <= ord(character) <= 0xA0 for character in text)
)
"""Without C1 controls and the no-break space, which http.client takes for the end of a line, or for blanks."""

answers = st.builds(
    Sent,
    method=st.sampled_from(["GET", "GET", "GET", "HEAD", "POST"]),
    status=st.sampled_from([200, 201, 202, 206, 301, 304, 204, 400, 404, 418, 500, 503, 599]),
    reason=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20),
    headers=st.lists(
        st.tuples(names, values) | st.sampled_from([("Keep-Alive", "timeout=5"), ("ETag", '"a"'), ("Vary", "*")]), max_size=8
    ).map(tuple),
    body=st.binary(max_size=300) | st.integers(1, 12_000).map(lambda size: b"0123456789abcdef" * size),
    coding=st.sampled_from(["", "", "gzip", "deflate"]),
    framing=st.sampled_from(["length", "chunked", "close", "length-close"]),
    cuts=st.lists(st.integers(1, 5000), max_size=6),
)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    parts = []
    for size in sizes:
        parts.append(data[:size])
        data = data[size:]
    return [part for part in (*parts, data) if part]


def write(sent: Sent) -> Answer:
    """As a careful server would put it."""
    body = ENCODE[sent.coding](sent.body)
    fields = [*sent.headers]
    bodiless = sent.method == "HEAD" or sent.status in {204, 304}
    if sent.coding:
        fields.append(("Content-Encoding", sent.coding))
    if sent.framing == "chunked":
        if sent.status not in {204, 304}:
            fields.append(("Transfer-Encoding", "chunked"))
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in cut(body, sent.cuts)) + b"0\r\n\r\n"
    elif sent.framing.startswith("length") and sent.status != 204:
        fields.append(("Content-Length", str(len(body))))
    if sent.framing.endswith("close"):
        fields.append(("Connection", "close"))
    head = f"HTTP/1.1 {sent.status} {sent.reason}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n"
    parts = [head.encode("latin-1"), *([] if bodiless else cut(body, sent.cuts))]
    return Answer(tuple(parts), "close" if sent.framing.endswith("close") else "keep")


def keep_end_to_end(fields: Fields) -> Fields:
    lower = ((name.lower(), value.strip(" \t")) for name, value in fields)
    return tuple(field for field in lower if field[0] not in NOT_FOR_CLIENTS | READING)


async def read_with_wire(url: str, method: str) -> Read:
    async with room_for(url) as room:
        outcome = await room.send(ask("/users/1", method))
        again = await room.send(ask("/users/1", method))
        assert isinstance(outcome, Response), outcome
        assert again == outcome._replace(queued=again.queued)
        return Read(outcome.status, outcome.headers, outcome.body)


async def read_with_aiohttp(url: str, method: str) -> Read:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{url}/users/1", allow_redirects=False) as answer,
    ):
        raw = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers)
        return Read(answer.status, keep_end_to_end(raw), await answer.read())


def read_with_http_client(port: int, method: str) -> Read:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, "/users/1")
        answer = connection.getresponse()
        body = answer.read()
        coding = answer.getheader("Content-Encoding")
        if body and coding:
            body = DECODE[coding](body)
        return Read(answer.status, keep_end_to_end(tuple(answer.getheaders())), body)
    finally:
        connection.close()


async def compare(sent: Sent) -> None:
    answer = write(sent)

    def script(arrival: Arrival) -> Answer:
        return answer

    async with ScriptedUpstream(script) as upstream:
        ours = await read_with_wire(upstream.url, sent.method)
        assert ours == await read_with_aiohttp(upstream.url, sent.method)
        assert ours == await asyncio.to_thread(read_with_http_client, upstream.port, sent.method)
    body = b"" if sent.method == "HEAD" or sent.status in {204, 304} else sent.body
    assert ours == Read(sent.status, keep_end_to_end(sent.headers), body)


@settings(max_examples=60, deadline=None)
@given(answers)
def test_three_clients_read_the_same(sent: Sent) -> None:
    asyncio.run(compare(sent))
