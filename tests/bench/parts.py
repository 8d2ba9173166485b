"""Micro-benchmarks: what the parts of one batch cost, without any network."""

import timeit
from collections.abc import Callable
from statistics import median

import orjson

from gateway.batch.assembly import assemble
from gateway.batch.compile import Rules
from gateway.batch.content import read_content
from gateway.batch.jsonpath import PathRules, compile_path
from gateway.batch.limits import Limits
from gateway.batch.plan import make_plan
from gateway.batch.results import Result, summarise
from gateway.batch.routes import Route, RouteTable
from gateway.dialects.registry import DIALECTS
from gateway.jsontext import Node
from gateway.messages import Response
from tests.bench.upstream import BODY

ROUTES = RouteTable((Route("bench", "/bench"),))


def envelope(operations: int) -> bytes:
    """A batch of independent GETs."""
    return orjson.dumps({"requests": [{"name": f"op{n}", "path": f"/bench/{n}"} for n in range(operations)]})


def microseconds(work: Callable[[], object]) -> float:
    """What one call takes, the median of 7 runs."""
    timer = timeit.Timer(work)
    number, _ = timer.autorange()
    number = max(number // 8, 1)
    return median(timer.repeat(7, number)) / number * 1e6


def measure_parts(operations: int) -> dict[str, float]:
    """Microseconds per batch of `operations`, by part; `json` is what merely parsing the same envelope costs."""
    dialect, rules, limits = DIALECTS["/batch"], Rules(), Limits()
    text = envelope(operations)
    decoded = dialect.decode(text, rules)
    plan = make_plan(decoded, ROUTES, limits)
    response = Response(200, (("content-type", "application/json"),), BODY)
    results = tuple(
        Result(step.operation, "bench", response, read_content(response), step.operation.path, 0.0, 0.01) for step in plan.steps
    )
    finished = summarise(results, 0.01)
    path = compile_path("$.owner.id", PathRules())
    return {
        "json": microseconds(lambda: orjson.loads(text)),
        "decode": microseconds(lambda: dialect.decode(text, rules)),
        "plan": microseconds(lambda: make_plan(decoded, ROUTES, limits)),
        "content": microseconds(lambda: [read_content(response) for _ in results]),
        "assemble and encode": microseconds(lambda: dialect.encode(decoded, assemble(plan, results, limits), finished)),
        "reference": microseconds(lambda: path.find(Node(BODY), 100)) * operations,
    }
