"""One operation: fill its templates, and judge what came back.

Sending is between the two and the scheduler's. Nothing here waits.
"""

from gateway.batch.content import EMPTY, read_content
from gateway.batch.headers import merge
from gateway.batch.limits import Limits
from gateway.batch.lookup import TOO_DEEP, Lookup
from gateway.batch.operation import Body, BytesBody, HeaderChanges, JsonBody, TextBody
from gateway.batch.results import Result
from gateway.batch.routes import RouteTable
from gateway.batch.step import Step
from gateway.batch.target import encode_literal
from gateway.batch.template import Resolve, Unfillable, fill_header, fill_json, fill_target, fill_text, literal
from gateway.execution.budget import Budget
from gateway.messages import Context, Failure, Headers, Outcome, Reason, Request, Response

_SPAN_ENDS = tuple([f"{end:02x}" for end in range(256)])
"""The last byte of a span's id, written out: the ids of a batch count up, and the bytes before it seldom change."""


class Dispatch:
    """Fills and judges the operations of one batch, for one client."""

    def __init__(self, lookup: Lookup, context: Context, routes: RouteTable, limits: Limits, budget: Budget) -> None:
        self.lookup = lookup
        self._context = context
        self._routes = routes
        self._limits = limits
        self._budget = budget
        self._span = int(context.trace.span_id, 16)
        self._trace = f"00-{context.trace.trace_id}-"
        self._span_begins = f"{self._trace}{self._span >> 8:014x}"
        self._flags = f"-{context.trace.flags}"
        self._kept: dict[tuple[str, HeaderChanges], tuple[Headers, str | None]] = {}

    def fill(self, step: Step, resolve: Resolve, deadline: float) -> Request | Failure:
        """The request of a step, or why there can be none. Its body counts as held until the batch has ended."""
        operation = step.operation
        if operation.parameters is not None:
            resolve = self.lookup.resolve_with(operation.parameters, resolve)
        try:
            whole = literal(operation.target)
            target = self._target(step, resolve) if whole is None else encode_literal(whole)
            fields, content_type = self._kept.get((step.route.upstream, step.headers)) or self._fields(step, resolve)
            body = None if operation.body is None else _fill_body(operation.body, resolve)
        except Unfillable as error:
            return Failure(error.reason, error.detail)
        except RecursionError:
            return Failure(Reason.REFERENCE_TOO_LARGE, TOO_DEEP)
        self._span = span = (self._span + 1) & 0xFFFFFFFFFFFFFFFF or 1
        if span & 0xFF <= 1:
            self._span_begins = f"{self._trace}{span >> 8:014x}"
        fields += (("traceparent", f"{self._span_begins}{_SPAN_ENDS[span & 0xFF]}{self._flags}"),)
        if body is not None:
            if not self._budget.take(len(body)):
                detail = (
                    f"the bodies of this batch, filled in, exceed {self._budget.limit} bytes, or the gateway holds too much"
                )
                return Failure(Reason.REFERENCE_TOO_LARGE, detail)
            content_type = content_type or operation.content_type
            if content_type is not None:
                fields += (("content-type", content_type),)
        return Request(step.route.upstream, operation.method, target, fields, body, deadline)

    def judge(self, step: Step, outcome: Outcome, target: str, started: float, duration: float, item: int | None) -> Result:
        """The result of a step that was sent. A body that would make the answer too large is dropped: 507."""
        content = EMPTY
        if isinstance(outcome, Response):
            if self._budget.take(len(outcome.body)):
                content = read_content(outcome)
            else:
                detail = f"the bodies of this batch's answers exceed {self._budget.limit} bytes, or the gateway holds too much"
                outcome = Failure(Reason.ANSWER_TOO_LARGE, detail, outcome.queued, maybe_processed=True)
        return Result(step.operation, step.route.upstream, outcome, content, target, started, duration, item)

    def _target(self, step: Step, resolve: Resolve) -> str:
        target = fill_target(step.operation.target, resolve, self._limits)
        if not step.settled and self._routes.look_up(target.partition("?")[0], step.operation.upstream) != (step.route,):
            raise Unfillable(Reason.PATH_NOT_ALLOWED, f"the filled-in path leaves the route {step.route.prefix}")
        return target

    def _fields(self, step: Step, resolve: Resolve) -> tuple[Headers, str | None]:
        """The header fields that all requests like this one have, and the content type for those with a body.

        Kept for the batch where no reference stands in them: most of its operations then share them.
        """
        changes = [(name, None if parts is None else fill_header(parts, resolve, self._limits)) for name, parts in step.headers]
        merged = merge(self._context.headers, changes, step.route.policy, self._context.identity)
        content_type = merged.pop("content-type", None)
        merged.pop("traceparent", None)
        merged.pop("tracestate", None)
        if self._context.trace.state:
            merged["tracestate"] = self._context.trace.state
        fields = (tuple(merged.items()), content_type)
        if all(parts is None or literal(parts) is not None for _, parts in step.headers):
            self._kept[step.route.upstream, step.headers] = fields
        return fields


def _fill_body(body: Body, resolve: Resolve) -> bytes:
    match body:
        case JsonBody(parts=parts):
            return fill_json(parts, resolve)
        case BytesBody(content=content):
            return content
        case TextBody(parts=parts, charset=charset):
            try:
                return fill_text(parts, resolve).encode(charset)
            except UnicodeEncodeError:
                raise Unfillable(Reason.INVALID_BODY, f"the text cannot be written in {charset}") from None
