"""A batch's plan as it is shown: each operation, what it waits for, where it leads, and what the batch uses of its limits.

`{"operations": [{name?, pointer, method, path, upstream, dependsOn, after, stage, forEach?, requests?}],
"limits": {name: {used, max}}}`, in the order asked. Limits have the names they have in the configuration, in camel case; times
are milliseconds, as everywhere in the envelope, and sizes bytes.
"""

from typing import Any

from gateway.batch.limits import Limits
from gateway.batch.step import Plan, Step
from gateway.batch.target import encode_literal
from gateway.dialects.dialect import Encoded
from gateway.jsontext import dump


def encode_plan(plan: Plan, limits: Limits, size: int) -> Encoded:
    """The plan of an envelope of `size` bytes, which nothing has been sent of."""
    return Encoded(200, (("content-type", "application/json"),), dump(spell_plan(plan, limits, size)))


def spell_plan(plan: Plan, limits: Limits, size: int) -> dict[str, Any]:
    """The same as values."""
    return {"operations": _spell_steps(plan, plan.top), "limits": _spell_use(plan, limits, size)}


def _spell_steps(plan: Plan, indexes: tuple[int, ...]) -> list[dict[str, Any]]:
    return [_spell_step(plan, plan.steps[index]) for index in indexes]


def _spell_step(plan: Plan, step: Step) -> dict[str, Any]:
    operation = step.operation
    spelled: dict[str, Any] = {} if operation.name is None else {"name": operation.name}
    spelled |= {
        "pointer": operation.pointer,
        "method": operation.method,
        "path": operation.path,
        "upstream": step.route.upstream,
        "dependsOn": [plan.steps[index].operation.label for index in step.needs],
        "after": [plan.steps[index].operation.label for index in step.after],
        "stage": step.stage,
    }
    if operation.for_each is not None:
        spelled["forEach"] = str(operation.for_each)
    if step.nested:
        spelled["requests"] = _spell_steps(plan, step.nested)
    return spelled


def _spell_use(plan: Plan, limits: Limits, size: int) -> dict[str, dict[str, int]]:
    """What can be known before anything is sent: how many items a forEach will have cannot."""
    envelope = plan.envelope
    operations = [step.operation for step in plan.steps]
    references = [len(operation.references) for operation in operations]
    timeout = limits.timeout if envelope.timeout is None else min(envelope.timeout, limits.timeout)
    used = {
        "body": (size, limits.body),
        "operations": (len(operations), limits.operations),
        "dependencyDepth": (max([step.stage for step in plan.steps], default=0), limits.dependency_depth),
        "name": (max([len(operation.name or "") for operation in operations], default=0), limits.name),
        "target": (max([_length(step) for step in plan.steps], default=0), limits.target),
        "headers": (max([len(operation.headers) for operation in operations], default=0), limits.headers),
        "references": (sum(references), limits.references),
        "referencesPerOperation": (max(references, default=0), limits.references_per_operation),
        "timeout": (round(timeout * 1000), round(limits.timeout * 1000)),
    }
    return {name: {"used": count, "max": most} for name, (count, most) in used.items()}


def _length(step: Step) -> int:
    """Bytes of the path as far as they are written, without what references will fill in."""
    return sum([len(encode_literal(part)) for part in step.operation.target if isinstance(part, str)])
