"""Small batches and what it takes to run them, without sockets: the tests hold every request and decide what ends when."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.batch.compile import Rules
from gateway.batch.limits import Limits
from gateway.batch.plan import make_plan
from gateway.batch.routes import Route, RouteTable
from gateway.batch.step import Plan
from gateway.dialects.dialect import Asked
from gateway.dialects.registry import DIALECTS
from gateway.errors import Problem, Refusal
from gateway.execution.budget import Budget
from gateway.execution.engine import Engine
from gateway.messages import Context, Outcome, Request, Response, Send, Ticket, Trace
from gateway.pipeline import Answer, answer
from tests.support.clock import Clock

NATIVE = DIALECTS["/batch"]
ROUTES = RouteTable((Route("users", "/users"), Route("orders", "/orders"), Route("any", "/any")))
CONTEXT = Context("request-1", Trace("a" * 32, "b" * 16), "192.0.2.1")
PLENTY = 1 << 40
PATIENCE = 10.0
"""Seconds after which a test that waits for something that never comes is told so."""

JSON_TYPE = ("content-type", "application/json")


def envelope(*requests: Any, **fields: Any) -> bytes:
    """A native envelope; a string stands for a GET of that path."""
    operations = [{"path": request} if isinstance(request, str) else request for request in requests]
    return json.dumps({"requests": operations, **fields}).encode()


def rules(**limits: Any) -> Rules:
    """The default rules with some limits changed."""
    return Rules(replace(Limits(), **limits))


def plan(body: bytes, given: Rules | None = None, routes: RouteTable = ROUTES) -> Plan:
    """The plan of a native envelope, or a Refusal."""
    given = given or Rules()
    return make_plan(NATIVE.decode(Asked(body), given), routes, given.limits)


def refuse(body: bytes, given: Rules | None = None, routes: RouteTable = ROUTES) -> Refusal:
    """The refusal of a native envelope that the whole pipeline refuses, with nothing sent."""
    with pytest.raises(Refusal) as caught:
        asyncio.run(answer(Asked(body), NATIVE, CONTEXT, engine(send_nothing, given, routes)))
    return caught.value


def problems(body: bytes, given: Rules | None = None, routes: RouteTable = ROUTES) -> tuple[Problem, ...]:
    """What is wrong with an envelope that is refused with 422."""
    refusal = refuse(body, given, routes)
    assert refusal.status == 422
    return refusal.problems


def engine(send: Send, given: Rules | None = None, routes: RouteTable = ROUTES) -> Engine:
    """An engine with a clock that stands still."""
    send_then = send.send_then if isinstance(send, HeldCalls) else None
    return Engine(send, routes, given or Rules(), Clock(), Budget(PLENTY), send_then=send_then)


async def send_nothing(request: Request) -> Outcome:
    """A Send that must not be called."""
    pytest.fail(f"{request.method} {request.target} was sent")


def ok(value: Any = None, status: int = 200, **headers: str) -> Response:
    """A JSON response; bytes are the body as it is."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Response(status, (JSON_TYPE, *((name.replace("_", "-"), text) for name, text in headers.items())), body)


class HeldSend:
    """A Send that holds each request until the test ends it; `requests` are all it was given, in order."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.futures: list[asyncio.Future[Outcome]] = []

    def __call__(self, request: Request) -> asyncio.Future[Outcome]:
        """Hold `request`."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.requests.append(request)
        self.futures.append(future)
        return future

    @property
    def targets(self) -> list[str]:
        """What was sent so far, in order."""
        return [request.target for request in self.requests]

    @property
    def held(self) -> list[str]:
        """What is in flight now."""
        return [target for target, future in zip(self.targets, self.futures, strict=True) if not future.done()]

    @property
    def cancelled(self) -> list[str]:
        """What was given up."""
        return [target for target, future in zip(self.targets, self.futures, strict=True) if future.cancelled()]

    async def arrived(self, count: int) -> None:
        """Wait until so many requests have been sent."""
        await until(lambda: len(self.requests) >= count)

    async def given_up(self, target: str) -> None:
        """Wait until a request has been given up."""
        await until(lambda: target in self.cancelled)

    async def end(self, target: str, outcome: Outcome | BaseException | None = None) -> None:
        """End a request that is held, and let the gateway do all it does because of it."""
        future = self.futures[next(i for i, one in enumerate(self.targets) if one == target and not self.futures[i].done())]
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(ok({}) if outcome is None else outcome)
        await turn()


class HeldCalls(HeldSend):
    """The same as a SendThen: nobody awaits the outcome, somebody is called with it the moment the test ends the request."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: dict[asyncio.Future[Outcome], Callable[[Outcome], None]] = {}

    def send_then(self, request: Request, done: Callable[[Outcome], None]) -> Ticket:
        """Hold `request`."""
        future = self(request)
        self._calls[future] = done
        return HeldTicket(future)

    async def end(self, target: str, outcome: Outcome | BaseException | None = None) -> None:
        """End a request that is held."""
        before = [future for future in self.futures if not future.done()]
        await super().end(target, outcome)
        for future in before:
            if future.done() and not future.cancelled():
                self._calls.pop(future)(future.result())
        await turn()


class HeldTicket:
    """Of a request that is held."""

    def __init__(self, future: asyncio.Future[Outcome]) -> None:
        self._future = future

    def cancel(self) -> None:
        """Give it up."""
        self._future.cancel()


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that depends on more than turns of this loop."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await turn()


async def turn() -> None:
    """Let everything happen that waits for nothing but its turn."""
    for _ in range(20):
        await asyncio.sleep(0)


class Script:
    """A Send that answers at once, by `METHOD target` or target; what it has no answer for gets 200 and `{}`."""

    def __init__(self, **_: Any) -> None:
        self.answers: dict[str, Outcome] = {}
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Outcome:
        """Answer `request`."""
        self.requests.append(request)
        return self.answers.get(request.target, ok({}))


async def run(body: bytes, answers: dict[str, Outcome] | None = None, given: Rules | None = None) -> "Ran":
    """Run a native batch against upstreams that answer at once."""
    script = Script()
    script.answers = answers or {}
    return Ran(await answer(Asked(body), NATIVE, CONTEXT, engine(script, given)), script)


class Ran:
    """A batch that has run: its answer, parsed, and what was sent."""

    def __init__(self, answered: Answer, script: Script) -> None:
        self.status = answered.status
        self.raw = answered.body
        self.json: Any = json.loads(answered.body)
        assert answered.finished is not None
        self.finished = answered.finished
        self.sent = script.requests

    @property
    def responses(self) -> list[dict[str, Any]]:
        """The entries of the answer."""
        found: list[dict[str, Any]] = self.json["responses"]
        return found

    @property
    def statuses(self) -> list[int]:
        """Their statuses."""
        return [entry["status"] for entry in self.responses]

    @property
    def reasons(self) -> list[str | None]:
        """Why the gateway decided a status, by entry."""
        return [entry.get("error", {}).get("reason") for entry in self.responses]
