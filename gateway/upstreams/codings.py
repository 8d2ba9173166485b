"""The content codings that are undone here: gzip and deflate always, br and zstd where a library for them is installed."""

import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

ZSTD_WINDOW = 23
"""RFC 9659: a content coding needs a window of 8 MiB at most. A frame may ask for more, and for that much memory."""


STEP = 1 << 16
"""Bytes that brotli is asked for at a time: it may give as many again, so great is the last of its buffers."""


class Decoder(Protocol):
    """Undoes one stream."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def unused_data(self) -> bytes:
        """What came after its end."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """The next bytes, `max_length` or not many more: then there may be others, and nobody wants them."""


class BrotliDecoder:
    """Brotli's decoder in the shape of the others. It refuses bytes after the end by itself."""

    unused_data = b""

    def __init__(self, brotli: ModuleType) -> None:
        self._stream: Any = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        return bool(self._stream.is_finished())

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """As in Decoder."""
        parts = [self._stream.process(data, output_buffer_limit=min(max_length, STEP))]
        left = max_length - len(parts[0])
        while left > 0 and not self._stream.can_accept_more_data():
            parts.append(self._stream.process(b"", output_buffer_limit=min(left, STEP)))
            left -= len(parts[-1])
        return b"".join(parts)


MakeDecoder = Callable[[bytes], Decoder]
"""From the first bytes of a stream."""


def _make_deflate(first: bytes) -> Decoder:
    """`deflate` is a zlib stream by the standard, and a bare one by old servers: the low half of the first byte tells."""
    return zlib.decompressobj(wbits=15 if first[0] & 0x0F == 8 else -15)


def _find(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except ImportError:
        return None


def _find_decoders() -> tuple[dict[str, MakeDecoder], tuple[type[Exception], ...]]:
    """The decoders by coding, in the order in which they are offered, and what they raise."""
    decoders: dict[str, MakeDecoder] = {"gzip": lambda _: zlib.decompressobj(wbits=31), "deflate": _make_deflate}
    errors: list[type[Exception]] = [zlib.error]
    if (brotli := _find("brotli")) is not None:
        decoders["br"] = lambda _: BrotliDecoder(brotli)
        errors.append(brotli.error)
    if (zstd := _find("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")) is not None:
        options = {zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW}
        decoders["zstd"] = lambda _: zstd.ZstdDecompressor(options=options)
        errors.append(zstd.ZstdError)
    return decoders, tuple(errors)


DECODERS, DECODING_ERRORS = _find_decoders()

ACCEPTED = ", ".join(DECODERS)
"""What Accept-Encoding offers: exactly what is undone here."""
