"""Micro-benchmarks: what the parts of one batch cost without any network, in microseconds."""

import asyncio
import time
import timeit
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from statistics import median
from typing import NamedTuple

import orjson

from gateway.batch.assembly import assemble
from gateway.batch.compile import Rules
from gateway.batch.jsonpath import PathRules, compile_path
from gateway.batch.limits import Limits
from gateway.batch.lookup import Lookup
from gateway.batch.plan import make_plan
from gateway.batch.results import summarise
from gateway.batch.routes import Route, RouteTable
from gateway.batch.step import Plan
from gateway.dialects.dialect import Asked
from gateway.dialects.registry import DIALECTS
from gateway.execution.budget import Budget
from gateway.execution.dispatch import Dispatch
from gateway.execution.engine import Engine
from gateway.execution.scheduler import Ended, execute
from gateway.jsontext import Node
from gateway.messages import Context, Outcome, Request, Response, Trace
from tests.bench.points import Point
from tests.bench.upstream import LARGE, LIST, SMALL

NATIVE, RULES, LIMITS = DIALECTS["/batch"], Rules(), Limits()
ROUTES = RouteTable((Route("bench", "/small"), Route("bench", "/list"), Route("bench", "/large")))
CONTEXT = Context("request-1", Trace("a" * 32, "b" * 16), "192.0.2.1")
BODIES = {"small": SMALL, "list": LIST, "large": LARGE}
PLENTY = 1 << 40
"""Bytes that no batch here comes near."""

REPEATS = 7
"""Runs of which the median counts."""


class Parts(NamedTuple):
    """Microseconds per batch. `parse` is what merely parsing the JSON of its envelope costs.

    `fill` makes the requests of all operations; `run` is that, scheduling, and judging answers that are there at once.
    """

    parse: float
    decode: float
    plan: float
    fill: float
    run: float
    encode: float


class Reference(NamedTuple):
    """Microseconds to find `path` in a document, and to merely parse that document's JSON."""

    path: str
    document: str
    parse: float
    find: float


def measure_parts(point: Point, seconds: float) -> Parts:
    """The parts of the batches of `point`, taken in turn; about `seconds` for each part."""
    envelopes = [NATIVE.decode(Asked(text), RULES) for text in point.batches]
    plans = [make_plan(envelope, ROUTES, LIMITS) for envelope in envelopes]
    ended = asyncio.run(run(plans[0]))
    texts, asked = cycle(point.batches), cycle(envelopes)
    return Parts(
        parse=microseconds(lambda: orjson.loads(next(texts)), seconds),
        decode=microseconds(lambda: NATIVE.decode(Asked(next(texts)), RULES), seconds),
        plan=microseconds(lambda: make_plan(next(asked), ROUTES, LIMITS), seconds),
        fill=microseconds(make_filling(plans, ended), seconds),
        run=asyncio.run(_microseconds_to_run(cycle(plans), seconds)),
        encode=microseconds(lambda: encode(plans[0], ended), seconds),
    )


def measure_references(seconds: float) -> tuple[Reference, ...]:
    """Paths that the points use, and one that matches every row of a list."""
    return tuple(
        measure_reference(text, name, body, seconds)
        for text, name, body in (("$.id", "200 B", SMALL), ("$.owner.id", "200 B", SMALL), ("$.data[*].id", "20 rows", LIST))
    )


def measure_reference(text: str, document: str, body: bytes, seconds: float) -> Reference:
    """Finding what a compiled path leads to in a body that nobody has read before."""
    path = compile_path(text, PathRules())
    parse = microseconds(lambda: orjson.loads(body), seconds)
    find = microseconds(lambda: [node.text() for node in path.find(Node(body), LIMITS.value_visits)], seconds)
    return Reference(text, document, parse, find)


def make_filling(plans: Sequence[Plan], ended: Ended) -> Callable[[], object]:
    """Fills every operation that is sent once: those over items are part of `run` only."""
    turns = cycle([(plan, [step for step in plan.steps if step.operation.for_each is None]) for plan in plans])

    def fill() -> None:
        plan, steps = next(turns)
        lookup = Lookup(plan.names, list(ended.results), LIMITS)
        dispatch = Dispatch(lookup, CONTEXT, ROUTES, LIMITS, Budget(PLENTY))
        for step in steps:
            dispatch.fill(step, lookup.resolve, 1.0)

    return fill


async def run(plan: Plan) -> Ended:
    """Run a plan whose upstream answers at once."""
    engine = Engine(answer_at_once, ROUTES, RULES, time.monotonic, Budget(PLENTY))
    return await execute(plan, engine, CONTEXT, Budget(LIMITS.answer, engine.budget))


def answer_at_once(request: Request) -> asyncio.Future[Outcome]:
    """A Send without a wait."""
    answered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    body = BODIES[request.target.split("/")[1]]
    answered.set_result(Response(200, (("content-type", "application/json"), ("content-length", str(len(body)))), body))
    return answered


def encode(plan: Plan, ended: Ended) -> object:
    """From results to the answer's bytes."""
    return NATIVE.encode(plan.envelope, assemble(plan, ended.results, LIMITS), summarise(ended.results, 0.01))


def microseconds(work: Callable[[], object], seconds: float) -> float:
    """What one call takes: the median of the repeats, which together take about `seconds`."""
    timer = timeit.Timer(work)
    number = max(int(seconds / REPEATS / max(timer.timeit(10) / 10, 1e-8)), 1)
    return median(timer.repeat(REPEATS, number)) / number * 1e6


async def _microseconds_to_run(plans: Iterator[Plan], seconds: float) -> float:
    async def repeat(number: int) -> float:
        started = time.perf_counter()
        for _ in range(number):
            await run(next(plans))
        return (time.perf_counter() - started) / number

    number = max(int(seconds / REPEATS / await repeat(10)), 1)
    return median([await repeat(number) for _ in range(REPEATS)]) * 1e6
