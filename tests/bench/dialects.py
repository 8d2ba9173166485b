"""What the same operations cost in each dialect: from the bytes of a batch to those of its answer, without any network."""

import asyncio
import time
from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

import orjson

from gateway.batch.routes import Route, RouteTable
from gateway.dialects.dialect import Asked, Dialect
from gateway.execution.budget import Budget
from gateway.execution.engine import Engine
from gateway.messages import Outcome, Request, Response
from gateway.pipeline import answer
from tests.bench.comparison import Ratio, take_ratio
from tests.bench.load import Incomplete
from tests.bench.parts import CONTEXT, NATIVE, PLENTY, RULES
from tests.bench.points import write_batch
from tests.support.collector import make_collector
from tests.support.graph import make_graph

OPERATIONS = 50
ROUTES = RouteTable((Route("bench", "/small"), Route("bench", "/v2")))
ACCEPTED = Response(202, (("content-type", "application/json"), ("content-length", "2")), b"{}")
ROUNDS = 9

Asking = tuple[Dialect, Asked]
"""A batch, and the dialect it is written in."""


class Spoken(NamedTuple):
    """What `native` takes for some operations, in microseconds per operation, and how many times that other dialects take."""

    label: str
    native: float
    others: dict[str, Ratio]


def measure_dialects(seconds: float) -> tuple[Spoken, ...]:
    """Operations that more dialects than the native one can ask for; about `seconds` for each dialect and kind of operation."""
    return tuple(asyncio.run(_measure(label, askings, seconds)) for label, askings in (write_gets(), write_posts()))


def write_gets() -> tuple[str, tuple[Asking, ...]]:
    """GETs, named, because in a Graph batch each has an id."""
    native = write_batch(*({"name": f"op{n}", "path": f"/small/{n}"} for n in range(OPERATIONS)))
    graph = [{"id": f"op{n}", "method": "GET", "url": f"/small/{n}"} for n in range(OPERATIONS)]
    return f"{OPERATIONS} GETs", ((NATIVE, Asked(native)), (make_graph(), Asked(_write(requests=graph))))


def write_posts() -> tuple[str, tuple[Asking, ...]]:
    """POSTs of valid elements. Only a Graph batch names them, and only the collector looks into them."""
    bodies = [_element(n) for n in range(OPERATIONS)]
    path, query = "/v2/events?customerId=acme", "customerId=acme"
    native = write_batch(*({"method": "POST", "path": path, "body": body} for body in bodies))
    fields = {"method": "POST", "url": path, "headers": {"content-type": "application/json"}}
    graph = [{"id": f"op{n}", **fields, "body": body} for n, body in enumerate(bodies)]
    return f"{OPERATIONS} POSTs", (
        (NATIVE, Asked(native)),
        (make_graph(), Asked(_write(requests=graph))),
        (make_collector(), Asked(_write(batch=bodies), query)),
    )


def _write(**fields: Any) -> bytes:
    return orjson.dumps(fields)


def _element(number: int) -> dict[str, Any]:
    began = 1_700_000_000_000 + number
    return {
        "request_type": "newEvent", "event_timestamp": began, "send_timestamp": began + 1, "user_id": f"u{number}",
        "category": "c", "result": "r", "event_properties": {"a": 1, "b": 1.5, "c": "x"},
    }  # fmt: skip


async def _measure(label: str, askings: Sequence[Asking], seconds: float) -> Spoken:
    """The dialects take turns, so that a machine whose speed drifts hurts all alike."""
    await _check_alike(askings)
    engine = Engine(_accept, ROUTES, RULES, time.monotonic, Budget(PLENTY))
    number = max(int(seconds / ROUNDS / await _take(engine, askings[0], 5)), 1)
    took: list[list[float]] = [[] for _ in askings]
    for _ in range(ROUNDS):
        for asking, times in zip(askings, took, strict=True):
            times.append(await _take(engine, asking, number))
    others = {dialect.name: take_ratio(times, took[0]) for (dialect, _), times in zip(askings[1:], took[1:], strict=True)}
    return Spoken(label, median(took[0]) * 1e6 / OPERATIONS, others)


async def _take(engine: Engine, asking: Asking, number: int) -> float:
    dialect, asked = asking
    started = time.process_time()
    for _ in range(number):
        await answer(asked, dialect, CONTEXT, engine)
    return (time.process_time() - started) / number


def _accept(request: Request) -> asyncio.Future[Outcome]:  # every one alike
    """A Send without a wait."""
    answered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    answered.set_result(ACCEPTED)
    return answered


async def _check_alike(askings: Sequence[Asking]) -> None:
    """Raise Incomplete unless the same is sent whatever the dialect."""
    sent: list[list[tuple[str, str, bytes | None]]] = []
    for dialect, asked in askings:
        requests: list[tuple[str, str, bytes | None]] = []

        async def note(request: Request, requests: list[tuple[str, str, bytes | None]] = requests) -> Outcome:
            requests.append((request.method, request.target, request.body))
            return ACCEPTED

        await answer(asked, dialect, CONTEXT, Engine(note, ROUTES, RULES, time.monotonic, Budget(PLENTY)))
        sent.append(requests)
        if len(requests) != OPERATIONS or requests != sent[0]:
            raise Incomplete(f"{dialect.name} does not send what {askings[0][0].name} does")
