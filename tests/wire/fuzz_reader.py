"""Fuzzing of the answer path with atheris: `make fuzz`, or this file with libFuzzer's options and a folder to keep findings in.

    python tests/wire/fuzz_reader.py -max_total_time=60 folder

Whatever the bytes: nothing but Broken is raised, the outcome is the same however they are cut, no more than the limits is
kept in memory, and where the connection may be used again the next answer is read as on a new one.
"""

import sys
import tracemalloc
from pathlib import Path

import atheris  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

with atheris.instrument_imports(include=["gateway.upstreams"]):
    from gateway.messages import Failure, Response
    from gateway.upstreams.wire.reader import FRAMING_BYTES
    from tests.support.feeding import Fed, Line, feed
    from tests.support.raw_answers import read_corpus

LIMIT = 4096
MEMORY = 16 * FRAMING_BYTES
"""Bytes that one answer may take at most, with room for the fuzzer's own."""

NEXT = b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nnext"

DICTIONARY = [
    "HTTP/1.1 200 OK", "HTTP/1.0 200 OK", "HTTP/1.1 100 Continue", "HTTP/1.1 204 N", "HTTP/1.1 304 N", "HTTP/1.1 101 U",
    "Content-Length: ", "Transfer-Encoding: chunked", "Content-Encoding: gzip", "Connection: close", "Connection: keep-alive",
    "Upgrade: h2c", "Trailer: X", "\\x0d\\x0a", "\\x0d\\x0a\\x0d\\x0a", "0\\x0d\\x0a\\x0d\\x0a", "\\x1f\\x8b\\x08\\x00",
]  # fmt: skip


def check(data: bytes) -> None:
    """The first three bytes say how to ask and where to cut; the rest is the answer."""
    if len(data) < 3:
        return
    method = "HEAD" if data[0] & 1 else "GET"
    step = 1 + data[1]
    place = data[2] * 256 + data[0]
    raw = data[3:]
    line = Line(LIMIT)
    whole = ask_within_memory(line, raw, method)
    pieces = [raw[start : start + step] for start in range(0, len(raw), step)]
    halves = [half for half in (raw[:place], raw[place:]) if half]
    for fed in (feed(pieces, method, LIMIT), feed(halves, method, LIMIT)):
        # Of two faults either may be seen first.
        assert fed.outcome == whole.outcome or {type(fed.outcome), type(whole.outcome)} == {Failure}, (fed, whole)
        # Blank lines after an answer are skipped, or close the connection, as they come.
        assert fed.again == whole.again or raw.endswith((b"\r", b"\n")), (fed, whole)
    if whole.again:
        following = line.ask([NEXT])
        assert following.outcome == Response(201, (), b"next"), following


def ask_within_memory(line: Line, raw: bytes, method: str) -> Fed:
    """Feed all at once; what is short cannot take much, and watching memory takes time."""
    if len(raw) <= LIMIT:
        return line.ask([raw] if raw else [], method)
    tracemalloc.start()
    fed = line.ask([raw], method)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MEMORY, f"{peak} bytes in use for {len(raw)} received"
    return fed


def write_seeds(folder: Path) -> None:
    """The corpus of raw answers, and the words of the protocol."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in read_corpus().values():
        if len(case.raw) < 2 * LIMIT:
            (folder / f"seed-{case.name}").write_bytes(bytes([case.method == "HEAD", 6, 0]) + case.raw)


def main() -> None:
    """Fuzz until an option of libFuzzer says that it is enough."""
    folder = Path(sys.argv[-1])
    write_seeds(folder)
    words = folder.parent / "dictionary"
    words.write_text("".join(f'"{word}"\n' for word in DICTIONARY))
    atheris.Setup([*sys.argv[:-1], f"-dict={words}", "-max_len=70000", "-timeout=5", str(folder)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
