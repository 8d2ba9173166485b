"""Streaming an answer: the test ends each request and sees what is written because of it."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.dialect import Asked
from gateway.errors import Refusal
from gateway.execution.engine import Engine
from gateway.messages import Outcome, Reason, Response
from gateway.pipeline import Answer
from gateway.places.batches import Batches
from gateway.places.streaming import StreamedBatches
from tests.support.batches import CONTEXT, NATIVE, HeldSend, engine, envelope, ok, send_nothing, turn
from tests.support.streams import HeldSink, read_events, read_lines

NDJSON = {"accept": "application/x-ndjson"}
NEVER = 3600.0


def op(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "path": f"/any/{name}", **fields}


async def begin(
    body: bytes, made: Engine, sink: HeldSink, accept: str = "application/x-ndjson", heartbeat: float = NEVER
) -> asyncio.Task[Answer]:
    """A batch that is streaming, as far as it gets by itself."""
    place = StreamedBatches(Batches(NATIVE, made), heartbeat)
    opened = await place.serve(Asked(body, headers={"accept": accept}), CONTEXT)
    assert (opened.status, opened.body, opened.finished) == (200, b"", None)
    assert opened.stream is not None

    async def stream(open_stream: Callable[[HeldSink], Any]) -> Answer:
        answered: Answer = await open_stream(sink)
        return answered

    running = asyncio.create_task(stream(opened.stream))
    await turn()
    return running


async def test_each_operation_has_its_line_when_it_has_ended_and_the_summary_is_last() -> None:
    held, sink = HeldSend(), HeldSink()
    running = await begin(envelope(op("a"), op("b"), op("c", dependsOn=["a"])), engine(held), sink)
    assert sink.writes == [b""]
    await held.end("/any/b", ok([2]))
    assert read_lines(b"".join(sink.writes)) == [
        {
            "index": 1,
            "name": "b",
            "method": "GET",
            "path": "/any/b",
            "status": 200,
            "headers": {"content-type": "application/json"},
            "body": [2],
            "duration": 0.0,
            "queued": 0.0,
        }
    ]
    await held.end("/any/a", ok(status=500))
    answered = await running
    lines = read_lines(b"".join(sink.writes) + answered.body)
    assert [(line.get("index"), line.get("status")) for line in lines[:-1]] == [(1, 200), (0, 500), (2, 424)]
    assert lines[-1] == {"summary": {"operations": 3, "failed": 2, "duration": 0.0}}
    assert answered.finished is not None
    assert (answered.status, answered.finished.operations, answered.finished.failed) == (200, 3, 2)


async def test_what_is_nested_or_for_each_comes_with_its_top_level_operation() -> None:
    held, sink = HeldSend(), HeldSink()
    body = envelope(
        op("p", requests=[op("q", requests=[op("r")]), op("s")]),
        op("z"),
        {"name": "each", "path": "/any/${item}", "forEach": "${result=z:$}"},
    )
    running = await begin(body, engine(held), sink)
    for target, answer in [("p", ok()), ("s", ok()), ("z", ok([1, 2])), ("2", ok())]:
        await held.end(f"/any/{target}", answer)
    assert [line["index"] for line in read_lines(b"".join(sink.writes))] == [1]
    await held.end("/any/1", ok())
    await held.end("/any/q", ok())
    assert [line["index"] for line in read_lines(b"".join(sink.writes))] == [1, 2]
    await held.end("/any/r", ok())
    lines = read_lines(b"".join(sink.writes) + (await running).body)
    assert [line.get("index") for line in lines] == [1, 2, 0, None]
    assert [one["name"] for one in lines[2]["responses"]] == ["q", "s"]
    assert [one["index"] for one in lines[1]["responses"]] == [0, 1]


async def test_lines_of_one_turn_go_out_in_one_write() -> None:
    held, sink = HeldSend(), HeldSink()
    running = await begin(envelope(op("a"), op("b"), op("c"), op("d")), engine(held), sink)
    for future in held.futures[:3]:
        future.set_result(ok())
    await turn()
    assert [write.count(b"\n") for write in sink.writes] == [0, 3]
    await held.end("/any/d")
    assert (await running).body.count(b"\n") == 2


async def test_events_are_the_same_lines() -> None:
    async def run_as(accept: str) -> bytes:
        held, sink = HeldSend(), HeldSink()
        running = await begin(envelope(op("a"), op("b")), engine(held), sink, accept)
        await held.end("/any/b", ok(b'{"a":\r\n"b\\n",\r "c": \n1}'))
        await held.end("/any/a")
        return b"".join(sink.writes) + (await running).body

    lines, events = read_lines(await run_as("application/x-ndjson")), read_events(await run_as("text/event-stream"))
    assert [kind for kind, _ in events] == ["response", "response", "summary"]
    assert [value for _, value in events] == lines
    assert lines[0]["body"] == {"a": "b\n", "c": 1}


async def test_a_client_that_does_not_read_keeps_new_operations_from_starting() -> None:
    held, sink = HeldSend(), HeldSink()
    body = envelope(op("a"), op("b"), op("c", dependsOn=["a"]), op("d", dependsOn=["b"]), op("e"))
    running = await begin(body, engine(held), sink)
    sink.reads.clear()
    await held.end("/any/e")
    await held.end("/any/a")
    await held.end("/any/b")
    assert held.targets == ["/any/a", "/any/b", "/any/e"]
    assert [write.count(b"\n") for write in sink.writes] == [0, 1]
    sink.reads.set()
    await turn()
    assert held.held == ["/any/c", "/any/d"]
    assert [write.count(b"\n") for write in sink.writes] == [0, 1, 2]
    await held.end("/any/c")
    await held.end("/any/d")
    await running


async def test_a_batch_that_is_to_end_does_not_wait_for_who_does_not_read() -> None:
    held, sink = HeldSend(), HeldSink()
    made = engine(held)
    running = await begin(envelope(op("a"), op("b", dependsOn=["c"]), op("c")), made, sink)
    sink.reads.clear()
    await held.end("/any/a")
    await held.end("/any/c")
    (live,) = made.runs
    live.finish_now(Reason.SHUTTING_DOWN, "closing")
    assert live.is_over()  # type: ignore[attr-defined]
    sink.reads.set()
    lines = read_lines(b"".join(sink.writes) + (await running).body)
    assert [(line["index"], line["status"]) for line in lines[:-1]] == [(0, 200), (2, 200), (1, 503)]
    assert held.targets == ["/any/a", "/any/c"]
    assert lines[-1]["summary"]["failed"] == 1


@pytest.mark.parametrize("how", ["cancelled", "connection"])
async def test_a_client_that_leaves_cancels_what_is_safe_and_what_is_not_is_awaited(how: str) -> None:
    held, sink = HeldSend(), HeldSink()
    made = engine(held)
    body = envelope(op("a"), op("read"), op("write", method="POST"), op("next", after=["write"]))
    running = await begin(body, made, sink)
    sink.reads.clear()
    await held.end("/any/a")
    if how == "cancelled":
        running.cancel()
    else:
        sink.gone = True
        sink.reads.set()
    await turn()
    assert (held.held, held.cancelled, len(held.requests)) == (["/any/write"], ["/any/read"], 3)
    await held.end("/any/write", ok(status=201))
    answered = await running
    assert answered.finished is not None
    assert (answered.status, answered.body) == (499, b"")
    assert [result.status for result in answered.finished.results] == [200, 499, 201, 499]
    assert (made.budget.held, made.runs) == (0, set())


@pytest.mark.parametrize(("accept", "beat"), [("application/x-ndjson", b"\n"), ("text/event-stream", b":\n\n")])
async def test_silence_is_filled_with_what_readers_drop(accept: str, beat: bytes) -> None:
    held, sink = HeldSend(), HeldSink()
    running = await begin(envelope(op("a")), engine(held), sink, accept, heartbeat=0.002)
    while len(sink.writes) < 3:
        await turn()
    assert sink.writes[:3] == [b"", beat, beat]
    await held.end("/any/a")
    assert (await running).finished is not None


async def test_the_bodies_held_are_counted_once_and_given_back() -> None:
    held, sink = HeldSend(), HeldSink()
    made = engine(held)
    running = await begin(envelope(op("a"), op("b")), made, sink)
    sink.reads.clear()
    await held.end("/any/a", ok(b'"' + b"x" * 1000 + b'"'))
    assert made.budget.held == 1002
    sink.reads.set()
    await held.end("/any/b", ok(b"1"))
    await running
    assert made.budget.held == 0


async def test_the_last_lines_count_as_held_until_the_client_reads_them() -> None:
    held, sink = HeldSend(), HeldSink()
    made = engine(held)
    running = await begin(envelope(op("a")), made, sink)
    sink.reads.clear()
    await held.end("/any/a", ok(b'"' + b"x" * 100_000 + b'"'))
    assert (running.done(), made.budget.held) == (False, 100_002)
    sink.reads.set()
    answered = await running
    assert [line.get("index") for line in read_lines(b"".join(sink.writes) + answered.body)] == [0, None]
    assert made.budget.held == 0


async def test_no_more_is_spelled_than_a_client_may_read_at_once() -> None:
    held, sink = HeldSend(), HeldSink()
    running = await begin(envelope(*[op(str(number)) for number in range(6)]), engine(held), sink)
    for future in held.futures:
        future.set_result(ok(b'"' + b"x" * 40_000 + b'"'))
    await turn()
    answered = await running
    assert [piece.count(b"\n") for piece in [*sink.writes, answered.body]] == [0, 2, 2, 2, 1]


async def test_a_bug_reaches_the_caller() -> None:
    def send(request: Any) -> Any:
        raise ZeroDivisionError

    running = await begin(envelope(op("a")), engine(send), HeldSink())
    with pytest.raises(ZeroDivisionError):
        await running


@pytest.mark.parametrize("body", [b"{", envelope(), envelope("/nowhere"), envelope(op("a", dependsOn=["a"]))])
async def test_a_refusal_comes_before_anything_is_written(body: bytes) -> None:
    place = StreamedBatches(Batches(NATIVE, engine(send_nothing)), NEVER)
    with pytest.raises(Refusal):
        await place.serve(Asked(body, headers=NDJSON), CONTEXT)


async def test_who_does_not_ask_for_a_stream_gets_the_plain_answer() -> None:
    async def send(request: Any) -> Outcome:
        return ok([1])

    place = StreamedBatches(Batches(NATIVE, engine(send)), NEVER)
    answered = await place.serve(Asked(envelope(op("a")), headers={"accept": "*/*"}), CONTEXT)
    assert (answered.stream, json.loads(answered.body)["responses"][0]["body"]) == (None, [1])


OUTCOMES: st.SearchStrategy[Outcome] = st.sampled_from(
    [
        ok({"id": 1}),
        ok(b'[1.10,\n {"a": "\\n"}]\n', x_more="1"),
        ok(status=404),
        Response(200, (("content-type", "text/plain"),), "a\nb\r é".encode()),
        Response(204, (), b""),
        Response(200, (), b"\x00\xff"),
    ]
)
SHAPES: list[list[Any]] = [
    [op("a"), op("b"), op("c"), op("d")],
    [op("a", requests=[op("b"), op("c")]), op("d", omit=True)],
    [op("a", dependsOn=["b"]), op("b"), op("c", after=["a"]), op("d", select="$.id")],
    [op("a"), {"name": "e", "path": "/any/${index}", "forEach": "${result=a:$[*]}"}, op("d"), op("b")],
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SHAPES), st.lists(OUTCOMES, min_size=4, max_size=4), st.permutations(range(4)), st.booleans())
def test_the_lines_in_the_order_asked_are_the_responses_of_the_plain_answer(
    shape: list[Any], outcomes: list[Outcome], order: list[int], headers: bool
) -> None:
    async def run(accept: str) -> bytes:
        held, sink = HeldSend(), HeldSink()
        place = StreamedBatches(Batches(NATIVE, engine(held)), NEVER)
        asked = Asked(envelope(*shape, responseHeaders=headers), headers={"accept": accept})

        async def serve() -> bytes:
            opened = await place.serve(asked, CONTEXT)
            if opened.stream is None:
                return opened.body
            return b"".join([*sink.writes, (await opened.stream(sink)).body])

        async def whole() -> bytes:
            last = await serve()
            return last if accept == "*/*" else b"".join(sink.writes) + last

        running = asyncio.create_task(whole())
        await turn()
        while held.held:
            ranked = sorted(held.held, key=lambda target: order[ord(target[-1]) % 4])
            await held.end(ranked[0], outcomes[ord(ranked[0][-1]) % 4])
        return await running

    plain, streamed = asyncio.run(run("*/*")), asyncio.run(run("application/x-ndjson"))
    lines = sorted(streamed.splitlines()[:-1], key=lambda line: int(json.loads(line)["index"]))
    entries = [b"{" + line.partition(b",")[2] for line in lines]
    without_breaks = plain.replace(b"\n", b" ").replace(b"\r", b" ")
    assert without_breaks.startswith(b'{"responses":[' + b",".join(entries) + b'],"duration":')
