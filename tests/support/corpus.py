"""Golden cases: an envelope, the exchanges it may cause, and the answer it must get. tests/corpus/README.md has the format."""

import asyncio
import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.batch.compile import Rules
from gateway.batch.limits import Limits
from gateway.batch.routes import METHODS, HeaderPolicy, Route, RouteTable
from gateway.batch.target import TargetRules
from gateway.execution.budget import Budget
from gateway.execution.engine import Engine
from gateway.messages import Context, Failure, Headers, Outcome, Reason, Request, Response, Trace
from gateway.upstreams.fields import ClientFields

UPSTREAMS: dict[str, dict[str, Any]] = {
    "users": {"routes": ["/users"]},
    "orders": {"routes": ["/orders"]},
    "notes": {"routes": ["/notes"]},
}
"""What a case is run against that names no upstreams of its own."""

TURNS_HELD = 50
"""How many turns of the event loop a held answer waits: more than anything takes that does not wait for it."""


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number as it was written, so that 1.10 is not 1.1."""

    text: str


@dataclass(frozen=True)
class Case:
    """One folder. `setup` and `exchanges` are upstream.json, `expected` is answer.json with its numbers as text."""

    name: str
    envelope: bytes
    setup: dict[str, Any]
    expected: dict[str, Any]


def read_case(folder: Path) -> Case:
    """The case in `folder`."""
    setup = json.loads((folder / "upstream.json").read_text(encoding="utf-8"))
    expected = read_numbers_as_text((folder / "answer.json").read_bytes())
    return Case(folder.name, (folder / "request.json").read_bytes(), setup, expected)


def read_numbers_as_text(text: bytes) -> Any:
    """Strict JSON, each number as a Number."""
    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=refuse_constant)


def refuse_constant(word: str) -> None:
    """NaN and Infinity are not JSON."""
    raise ValueError(f"{word} is not JSON")


def make_context(setup: dict[str, Any]) -> Context:
    """Who asks."""
    trace = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    return Context("request-1", trace, "127.0.0.1", fields(setup.get("outer", {})), fields(setup.get("identity", {})))


def make_send(setup: dict[str, Any]) -> "ScriptedSend":
    """Upstreams that do what the case says."""
    cookies_from = frozenset(name for name, one in setup.get("upstreams", UPSTREAMS).items() if one.get("pass_set_cookie"))
    return ScriptedSend(setup["exchanges"], cookies_from)


def make_engine(setup: dict[str, Any], upstream: "ScriptedSend") -> Engine:
    """An engine whose clock stands still at 0."""
    routes = tuple(
        make_route(name, prefix, upstream_setup)
        for name, upstream_setup in setup.get("upstreams", UPSTREAMS).items()
        for prefix in upstream_setup["routes"]
    )
    rules = Rules(Limits(**setup.get("limits", {})), TargetRules(**setup.get("paths", {})), **setup.get("references", {}))
    return Engine(upstream, RouteTable(routes), rules, lambda: 0.0, Budget(1 << 28))


def make_route(upstream: str, prefix: str, setup: dict[str, Any]) -> Route:
    """A route of `upstream` from the fields a configuration has."""
    headers = setup.get("headers", {})
    policy = HeaderPolicy(
        frozenset(headers.get("forward", [])), frozenset(headers.get("deny", [])), fields(headers.get("set", {}))
    )
    return Route(
        upstream,
        prefix,
        methods=frozenset(setup.get("methods", METHODS)),
        max_per_batch=setup.get("max_per_batch", 0),
        policy=policy,
    )


def fields(headers: dict[str, str | list[str]]) -> Headers:
    """Header fields from a JSON object; a list is several lines of one name."""
    return tuple(
        (name.lower(), value) for name, values in headers.items() for value in ([values] if isinstance(values, str) else values)
    )


@dataclass
class ScriptedSend:
    """Answers each request with the exchange that expects it, in whatever order they come; `complaints` is what went wrong."""

    exchanges: list[dict[str, Any]]
    cookies_from: frozenset[str] = frozenset()
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._unused = list(range(len(self.exchanges)))
        self._answered = [asyncio.Event() for _ in self.exchanges]
        self._sent = [asyncio.Event() for _ in self.exchanges]

    async def __call__(self, request: Request) -> Outcome:
        number = next((n for n in self._unused if matches(self.exchanges[n]["request"], request)), None)
        if number is None:
            self.complaints.append(f"nobody expects {request}")
            return Failure(Reason.INTERNAL, "nobody expects this request")
        self._unused.remove(number)
        self._sent[number].set()
        exchange = self.exchanges[number]
        early = [other for other in exchange.get("follows", []) if not self._answered[other].is_set()]
        if early:
            self.complaints.append(f"exchange {number} began before these were answered: {early}")
        for other in exchange.get("waits_for", []):
            await self._sent[other].wait()
        for _ in range(TURNS_HELD if exchange.get("held") else 0):
            await asyncio.sleep(0)
        if exchange.get("hangs"):
            await asyncio.Event().wait()
        self._answered[number].set()
        return make_outcome(exchange, request.upstream in self.cookies_from)

    def list_complaints(self) -> list[str]:
        """Everything that was not as scripted."""
        return [*self.complaints, *(f"never sent: {self.exchanges[n]['request']}" for n in self._unused)]


def matches(expected: dict[str, Any], request: Request) -> bool:
    """Whether `request` is the one that an exchange expects; what the exchange does not name is not looked at."""
    return (
        request.method == expected["method"]
        and request.target == expected["target"]
        and expected.get("upstream", request.upstream) == request.upstream
        and expected.get("deadline", request.deadline) == request.deadline
        and all(has_field(request.headers, name, value) for name, value in expected.get("headers", {}).items())
        and ("body" not in expected or request.body == make_body(expected["body"]))
        and (
            "json" not in expected or (request.body is not None and spell(json.loads(request.body)) == spell(expected["json"]))
        )
    )


def spell(value: Any) -> str:
    """A JSON value as text to compare: true is not 1 there, as it is in Python."""
    return json.dumps(value, sort_keys=True)


def has_field(headers: Headers, name: str, expected: str | None) -> bool:
    """Whether `headers` have the field on exactly one line with that value, "~words" as in `compare`; null: not at all."""
    values = [value for key, value in headers if key == name]
    if expected is None:
        return not values
    return len(values) == 1 and not compare(expected, values[0])


def make_body(body: str | dict[str, str] | None) -> bytes | None:
    """Exact bytes: of a text, or of {"base64": …}; null is no body."""
    match body:
        case None:
            return None
        case str():
            return body.encode()
        case dict():
            return base64.b64decode(body["base64"])


def make_outcome(exchange: dict[str, Any], show_cookies: bool) -> Outcome:
    """What comes of an exchange: of the headers that the upstream answers, those that are for a client."""
    if "failure" in exchange:
        return Failure(Reason(exchange["failure"]), "as scripted")
    response = exchange["response"]
    headers = response.get("headers", {})
    if "json" in response:
        headers = {"content-type": "application/json"} | headers
        body = json.dumps(response["json"]).encode()
    else:
        body = make_body(response.get("body")) or b""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in fields(headers)]
    return Response(response["status"], ClientFields(show_cookies).select(raw), body)


def compare(expected: Any, actual: Any, where: str = "") -> list[str]:
    """How `actual` differs from what was expected, one line for each difference.

    An expected "~" is any text, "~words" any text with these words in it; the order of `errors` is free.
    """
    match expected, actual:
        case dict(), dict():
            differences = [f"{where}/{key}: missing" for key in expected.keys() - actual.keys()]
            differences += [f"{where}/{key}: not expected, is {actual[key]!r}" for key in actual.keys() - expected.keys()]
            for key in expected.keys() & actual.keys():
                expected_value, actual_value = expected[key], actual[key]
                if key == "errors" and all(isinstance(error, dict) for error in (*expected_value, *actual_value)):
                    expected_value, actual_value = by_place(expected_value), by_place(actual_value)
                differences += compare(expected_value, actual_value, f"{where}/{key}")
            return sorted(differences)
        case list(), list() if len(expected) == len(actual):
            return [
                line for n, pair in enumerate(zip(expected, actual, strict=True)) for line in compare(*pair, f"{where}/{n}")
            ]
        case str(), str() if expected.startswith("~") and actual:
            return [] if expected[1:] in actual else [f"{where}: {expected[1:]!r} is not in {actual!r}"]
        case _:
            return [] if expected == actual else [f"{where}: expected {expected!r}, is {actual!r}"]


def by_place(errors: list[dict[str, str]]) -> dict[str, list[str]]:
    """The details of a problem's errors by where and why they are: their order is free."""
    details: dict[str, list[str]] = {}
    for error in errors:
        details.setdefault(f"{error['pointer']} {error['reason']}", []).append(error["detail"])
    return details
