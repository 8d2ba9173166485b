"""Content codings are undone as the bytes come in, and only so far."""

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
from backports import zstd

from gateway.messages import Reason
from gateway.upstreams.codings import ACCEPTED
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


def make_wide_frame() -> bytes:
    """A frame for which a decoder would have to keep 128 MiB."""
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
    compressor = zstd.ZstdCompressor(options=options)
    return compressor.compress(TEXT) + compressor.flush()


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
        (["br"], "br"),
        (["ZSTD"], "zstd"),
        (["br", "zstd"], None),
        (["aes128gcm"], None),
    ],
)
def test_one_known_coding_or_none(fields: list[str], coding: str | None) -> None:
    assert read_coding(fields) == coding


@pytest.mark.parametrize("coding", ["br", "zstd"])
def test_a_coding_without_its_library_is_unknown(coding: str) -> None:
    assert read_coding([coding], known={"gzip", "deflate"}) is None


def test_what_is_known_is_offered() -> None:
    assert ACCEPTED == "gzip, deflate, br, zstd"


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
@pytest.mark.parametrize(
    ("coding", "raw"),
    [
        ("identity", TEXT),
        ("gzip", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", deflate_raw(TEXT)),
        ("br", brotli.compress(TEXT)),
        ("zstd", zstd.compress(TEXT)),
        ("zstd", zstd.compress(TEXT[:100]) + zstd.compress(TEXT[100:])),
    ],
    ids=["identity", "gzip", "gzip of two members", "deflate", "deflate without a zlib header", "br", "zstd", "zstd twice"],
)
def test_whole_bodies_however_they_are_cut(coding: str, raw: bytes, piece: int) -> None:
    assert read(coding, raw, piece=piece) == TEXT


@pytest.mark.parametrize("coding", ["identity", "gzip", "deflate", "br", "zstd"])
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
        ("br", brotli.compress(TEXT)[:-1]),
        ("br", brotli.compress(TEXT) + b"more"),
        ("br", b"not brotli at all"),
        ("zstd", zstd.compress(TEXT)[:-1]),
        ("zstd", zstd.compress(TEXT) + b"more"),
        ("zstd", b"not zstd at all"),
        ("zstd", make_wide_frame()),
    ],
    ids=[
        "cut",
        "cut in the header",
        "bad",
        "trailing bytes",
        "checksum",
        "cut zlib",
        "trailing zlib",
        "cut raw",
        "65 members",
        "cut br",
        "trailing br",
        "bad br",
        "cut zstd",
        "trailing zstd",
        "bad zstd",
        "zstd that wants 128 MiB",
    ],
)
def test_what_cannot_be_decoded_is_no_body(coding: str, raw: bytes) -> None:
    assert read(coding, raw) is Reason.UPSTREAM_ENCODING


@pytest.mark.parametrize("piece", [1, 1 << 16])
@pytest.mark.parametrize(("size", "fits"), [(999, True), (1000, True), (1001, False)])
@pytest.mark.parametrize("form", ["identity", "gzip", "deflate", "raw deflate", "br", "zstd"])
def test_the_limit_is_on_decoded_bytes(form: str, size: int, fits: bool, piece: int) -> None:
    text = b"x" * size
    raw = {
        "identity": text,
        "gzip": gzip.compress(text),
        "deflate": zlib.compress(text),
        "raw deflate": deflate_raw(text),
        "br": brotli.compress(text),
        "zstd": zstd.compress(text),
    }[form]
    outcome = read(form.removeprefix("raw "), raw, limit=1000, piece=piece)
    assert outcome == (text if fits else Reason.UPSTREAM_TOO_LARGE)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_bomb_costs_no_more_than_the_limit(coding: str) -> None:
    limit = 4 << 20
    zeros = b"\0" * (200 << 20)
    compress: dict[str, Callable[[bytes], bytes]] = {
        "gzip": lambda text: gzip.compress(text, compresslevel=1),
        "br": lambda text: bytes(brotli.compress(text, quality=1)),
        "zstd": zstd.compress,
    }
    bomb = compress[coding](zeros)
    body = Body(coding, limit)
    assert body.feed(bomb) is Reason.UPSTREAM_TOO_LARGE
    assert limit < body._size <= limit + (1 << 20)


def test_received_bytes_count_too() -> None:
    assert read("gzip", gzip.compress(b"") * 60, limit=1000) is Reason.UPSTREAM_TOO_LARGE
