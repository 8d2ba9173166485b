"""From a line to the request that is sent for it."""

from typing import NamedTuple

from gateway.batch.job import Job
from gateway.batch.lookup import Lookup
from gateway.batch.operation import Envelope, Operation
from gateway.batch.plan import make_plan
from gateway.batch.results import Result
from gateway.batch.step import Step
from gateway.errors import Refusal
from gateway.execution.budget import Budget
from gateway.execution.dispatch import Dispatch
from gateway.jobs.asker import load_asker
from gateway.jobs.kind import Line, LineFormat
from gateway.jobs.running.resending import KEY, may_resend
from gateway.jobs.wiring import Wiring
from gateway.messages import Failure, Outcome, Request

_REQUEST_ID = "x-request-id"
_UNLIMITED = 1 << 62


class Prepared(NamedTuple):
    """A line and the step that is made of it. `resends`: its request may be sent again if it is unknown what became of it."""

    line: Line
    step: Step
    resends: bool

    @property
    def upstream(self) -> str:
        """Where it goes."""
        return self.step.route.upstream


class Preparation:
    """Makes the requests of one chunk, and judges what comes back.

    No answer is dropped for want of room, as a live batch's may be: it is here already, and may have been dear. So who sends
    looks at the gateway's budget before.
    """

    def __init__(self, wiring: Wiring, job: Job, lines: LineFormat) -> None:
        engine = wiring.engine
        self._job = job
        self._lines = lines
        self._engine = engine
        self._limits = engine.rules.limits
        self._keyed = wiring.keyed_upstreams
        self._lookup = Lookup({}, [], self._limits)
        self._steps: dict[tuple[object, ...], Step] = {}
        context = load_asker(job.asker)
        # Each line has an id of its own, written behind what all requests of the job have in common.
        context = context._replace(identity=tuple([field for field in context.identity if field[0] != _REQUEST_ID]))
        self._dispatch = Dispatch(self._lookup, context, engine.routes, self._limits, Budget(_UNLIMITED))

    def prepare(self, line: Line) -> Prepared | Failure:
        """What to send for a line, or why nothing can be sent."""
        try:
            operation = self._lines.read(self._job, line)
            step = self._plan(operation)
        except Refusal as refusal:
            return Failure(refusal.reason, refusal.detail)
        return Prepared(line, step, self._resends(operation, step.route.upstream))

    def _plan(self, operation: Operation) -> Step:
        """The step of an operation. Most lines of a job differ in their bodies alone, so one plan does for all of those."""
        if operation.parameters is not None or operation.references:
            return make_plan(Envelope((operation,)), self._engine.routes, self._limits).steps[0]
        kind = (operation.method, operation.target, operation.headers, operation.upstream, operation.body is None)
        step = self._steps.get(kind)
        if step is None:
            step = make_plan(Envelope((operation,)), self._engine.routes, self._limits).steps[0]
            self._steps[kind] = step
            return step
        return Step(0, operation, step.route, step.headers, settled=step.settled)

    def _resends(self, operation: Operation, upstream: str) -> bool:
        is_keyed = upstream in self._keyed or _has_key(operation)
        return may_resend(self._job.on_interrupt, operation.method, is_keyed)

    def fill(self, prepared: Prepared) -> Request | Failure:
        """The request. Nobody waits for it, so it has all the time its upstream is given."""
        step = prepared.step
        seconds = step.route.timeout
        if step.operation.timeout is not None:
            seconds = min(seconds, step.operation.timeout)
        request = self._dispatch.fill(step, self._lookup.resolve, self._engine.clock() + seconds)
        if isinstance(request, Failure):
            return request
        upstream, method, target, headers, body, deadline = request
        headers += ((_REQUEST_ID, self.request_id(prepared.line)),)
        if upstream in self._keyed and not _has_key(step.operation):
            headers += ((KEY, f"{self._job.id}:{prepared.line.number}"),)
        return Request(upstream, method, target, headers, body, deadline)

    def request_id(self, line: Line) -> str:
        """The id of the line's request, the same if it is sent again."""
        return f"{self._job.id}-{line.number}"

    def judge(self, prepared: Prepared, request: Request, outcome: Outcome, started: float) -> Result:
        """The result of a request that was sent at `started`."""
        duration = self._engine.clock() - started
        return self._dispatch.judge(prepared.step, outcome, request.target, started, duration, None)


def _has_key(operation: Operation) -> bool:
    return any(name == KEY and parts is not None for name, parts in operation.headers)
