"""Content codings are undone as the bytes come in, and only so far."""

import gzip
import time
import zlib

import pytest

from gateway.messages import Reason
from gateway.upstreams.decoding import Body, read_coding

TEXT = b'{"id": 1, "name": "Ada"}' * 50


def read(coding: str, raw: bytes, limit: int = 1 << 20, piece: int = 1 << 16) -> bytes | Reason:
    """What becomes of a body that comes in pieces."""
    body = Body(coding, limit)
    for start in range(0, len(raw), piece):
        if (problem := body.feed(raw[start : start + piece])) is not None:
            return problem
    return body.finish()


def deflate_raw(text: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(text) + deflater.flush()


@pytest.mark.parametrize(
    ("fields", "coding"),
    [
        ([], "identity"),
        ([""], "identity"),
        (["identity"], "identity"),
        (["GZip"], "gzip"),
        (["x-gzip"], "gzip"),
        (["deflate"], "deflate"),
        (["identity, gzip"], "gzip"),
        (["gzip, gzip"], None),
        (["gzip", "gzip"], None),
        (["gzip, deflate"], None),
        (["br"], None),
        (["zstd"], None),
        (["aes128gcm"], None),
    ],
)
def test_one_known_coding_or_none(fields: list[str], coding: str | None) -> None:
    assert read_coding(fields) == coding


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
@pytest.mark.parametrize(
    ("coding", "raw"),
    [
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", deflate_raw(TEXT)),
    ],
    ids=["identity", "gzip", "gzip of two members", "deflate", "deflate without a zlib header"],
)
def test_whole_bodies_however_they_are_cut(coding: str, raw: bytes, piece: int) -> None:
    assert read(coding, raw, piece=piece) == TEXT


@pytest.mark.parametrize("coding", ["identity", "gzip", "deflate"])
def test_no_bytes_are_an_empty_body(coding: str) -> None:
    assert read(coding, b"") == b""


@pytest.mark.parametrize(
    ("coding", "raw"),
    [
        ("gzip", gzip.compress(TEXT)[:-1]),
        ("gzip", gzip.compress(TEXT)[:5]),
        ("gzip", b"not gzip at all"),
        ("gzip", gzip.compress(TEXT) + b"more"),
        ("gzip", gzip.compress(TEXT)[:-8] + b"\0" * 8),
        ("deflate", zlib.compress(TEXT)[:-1]),
        ("deflate", zlib.compress(TEXT) + b"more"),
        ("deflate", deflate_raw(TEXT)[:-1]),
        ("gzip", gzip.compress(b"") * 65),
    ],
    ids=["cut", "cut in the header", "bad", "trailing bytes", "checksum", "cut zlib", "trailing zlib", "cut raw", "65 members"],
)
def test_what_cannot_be_decoded_is_no_body(coding: str, raw: bytes) -> None:
    assert read(coding, raw) is Reason.UPSTREAM_ENCODING


@pytest.mark.parametrize("piece", [1, 1 << 16])
@pytest.mark.parametrize(("size", "fits"), [(999, True), (1000, True), (1001, False)])
@pytest.mark.parametrize("form", ["identity", "gzip", "deflate", "raw deflate"])
def test_the_limit_is_on_decoded_bytes(form: str, size: int, fits: bool, piece: int) -> None:
    text = b"x" * size
    raw = {
        "identity": text,
        "gzip": gzip.compress(text),
        "deflate": zlib.compress(text),
        "raw deflate": deflate_raw(text),
    }[form]
    outcome = read(form.removeprefix("raw "), raw, limit=1000, piece=piece)
    assert outcome == (text if fits else Reason.UPSTREAM_TOO_LARGE)


def test_a_bomb_costs_no_more_than_the_limit() -> None:
    limit = 4 << 20
    bomb = gzip.compress(b"\0" * (200 << 20), compresslevel=9)
    body = Body("gzip", limit)
    started = time.process_time()
    assert body.feed(bomb) is Reason.UPSTREAM_TOO_LARGE
    assert time.process_time() - started < 0.5  # 200 MiB would take longer; the limit takes about a hundredth
    assert body._size == limit + 1


def test_received_bytes_count_too() -> None:
    assert read("gzip", gzip.compress(b"") * 60, limit=1000) is Reason.UPSTREAM_TOO_LARGE
