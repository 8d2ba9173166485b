"""Every raw answer of the corpus comes to the same end however its bytes are cut."""

import time
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.messages import Response
from gateway.upstreams.wire.reader import FRAMING_BYTES
from tests.support.feeding import Fed, Line, feed
from tests.support.raw_answers import FOLDER, RawAnswer, read_corpus

CORPUS = read_corpus()
SMALL = 2048
"""Bytes up to which a case is cut at every place; in larger ones the places are spread, and close at both ends."""

each_case = pytest.mark.parametrize("case", CORPUS.values(), ids=list(CORPUS))

WELL_FORMED = b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nnext"
NEXT = Fed(Response(201, (), b"next"), again=True)


def feed_case(case: RawAnswer, *cuts: int) -> Fed:
    """How the case ends if its bytes arrive in pieces that end at `cuts`, in ascending order."""
    places = (0, *cuts, len(case.raw))
    pieces = [case.raw[start:end] for start, end in pairwise(places) if start < end]
    return feed(pieces, case.method, case.limit)


def list_cuts(size: int) -> Iterator[int]:
    if size <= SMALL:
        yield from range(1, size)
        return
    edge = 100 if size < 10 * SMALL else 20
    yield from range(1, edge)
    yield from range(edge, size - edge, size // 40)
    yield from range(size - edge, size)


def test_every_file_is_in_the_table() -> None:
    assert {path.stem for path in FOLDER.glob("*.raw")} == set(CORPUS)


@each_case
def test_whole(case: RawAnswer) -> None:
    case.judge(feed_case(case))


@each_case
def test_cut_in_two_at_every_place(case: RawAnswer) -> None:
    for cut in list_cuts(len(case.raw)):
        case.judge(feed_case(case, cut))


@each_case
def test_byte_by_byte(case: RawAnswer) -> None:
    step = 1 if len(case.raw) < 10 * SMALL else 61
    case.judge(feed_case(case, *range(step, len(case.raw), step)))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(list(CORPUS.values())), st.data())
def test_cut_anywhere(case: RawAnswer, data: st.DataObject) -> None:
    cuts = data.draw(st.sets(st.integers(1, max(1, len(case.raw) - 1)), max_size=12))
    case.judge(feed_case(case, *sorted(cuts)))


REUSABLE = [case for case in CORPUS.values() if case.again is True]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(REUSABLE), min_size=1, max_size=6), st.integers(1, 40))
def test_one_answer_leaves_nothing_for_the_next(cases: list[RawAnswer], step: int) -> None:
    line = Line()
    for case in cases:
        fed = line.ask([case.raw[start : start + step] for start in range(0, len(case.raw), step)], case.method)
        case._replace(limit=0).judge(fed)
        assert line.ask([WELL_FORMED]) == NEXT


@pytest.mark.parametrize("name", [name for name, case in CORPUS.items() if case.again is False and not case.reason])
def test_a_connection_that_is_not_used_again_is_closed(name: str) -> None:
    case = CORPUS[name]
    line = Line(case.limit)
    line.ask([case.raw], case.method)
    assert line.transport.aborted


ENDLESS = ["head-endless", "reason-endless", "header-name-endless", "trailer-endless", "chunked-extension-endless"]


@pytest.mark.parametrize("name", [*ENDLESS, "chunked-size-endless", "blank-lines-endless"])
@pytest.mark.parametrize("step", [1024, 1 << 20])
def test_what_has_no_end_costs_little(name: str, step: int) -> None:
    """What is given up for good is given up and little of it is held, even if it comes in one piece."""
    raw = CORPUS[name].raw + CORPUS[name].raw[-64:] * (1 << 16)
    pieces = [raw[start : start + step] for start in range(0, len(raw), step)]
    tracemalloc.start()
    try:
        assert str(feed(pieces).outcome[0]) == "upstream-protocol"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * FRAMING_BYTES


def test_ten_times_as_many_interim_answers_cost_no_more_than_thirty_times_as_much() -> None:
    many = CORPUS["interim-5000"]
    many.judge(feed_case(many))
    interim, final = many.raw[: many.raw.rindex(b"HTTP/1.1 ")], many.raw[many.raw.rindex(b"HTTP/1.1 ") :]
    few = interim[: len(interim) // 10] + final
    assert feed([few]) == feed([many.raw])
    assert cost([many.raw]) <= 30 * cost([few])


def cost(pieces: list[bytes]) -> float:
    """Seconds of processor time, the best of five."""
    found = []
    for _ in range(5):
        before = time.process_time()
        feed(pieces)
        found.append(time.process_time() - before)
    return min(found)


def test_a_bomb_is_not_unpacked() -> None:
    case = CORPUS["body-cap-gzip-bomb"]
    tracemalloc.start()
    try:
        case.judge(feed_case(case))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * case.limit


def test_a_body_in_tiny_chunks_takes_no_more_than_twice_its_size() -> None:
    size = 1 << 18
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"2\r\nab\r\n" * (size // 2) + b"0\r\n\r\n"
    pieces = [raw[start : start + SMALL] for start in range(0, len(raw), SMALL)]
    whole = Fed(Response(200, (), b"ab" * (size // 2)), again=True)
    tracemalloc.start()
    try:
        assert feed(pieces) == whole
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * size
