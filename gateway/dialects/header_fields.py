"""The headers of an operation or a batch: an object of strings, null where one is to be removed."""

from gateway.batch.compile import Compiler, escape
from gateway.batch.operation import HeaderChanges
from gateway.batch.reference import Parts
from gateway.dialects.fields import Fields, describe, is_string
from gateway.jsontext import load
from gateway.messages import Reason


def read_headers(fields: Fields, compiler: Compiler) -> HeaderChanges:
    """What the field `headers` changes; nothing if it is absent or wrong."""
    if "headers" not in fields:
        return ()
    limits = compiler.rules.limits
    pointer = fields.pointer("headers")
    in_string = is_string(fields.raw["headers"])
    given = fields.opened("headers", limits.depth)
    if given is None:
        fields.wrong("headers", f"headers must be an object of strings, got {describe(fields.raw['headers'])}")
        return ()
    if len(given) > limits.headers:
        fields.wrong("headers", f"{len(given)} headers, {limits.headers} are allowed", Reason.INVALID_HEADER)
        return ()
    changes: dict[str, Parts | None] = {}
    for name, raw in given.items():
        value = load(raw)
        at = pointer if in_string else f"{pointer}/{escape(name)}"
        if value is None or isinstance(value, str):
            lower, parts = compiler.header(name, value, at)
            changes[lower] = parts
        else:
            compiler.wrong(at, Reason.INVALID_HEADER, f"a header value is a string or null, got {describe(raw)}")
    return tuple(changes.items())
