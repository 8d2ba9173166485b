"""The quick way through the native envelope: decoded in one pass, for batches that use what most batches use.

It accepts or gives up; it never refuses. What it gives up on (a mistake, nested requests, a field seldom used) goes the long
way, native_decode, which finds every problem with a pointer to each. Where it accepts, both give the same envelope: a
property test says so, and `make bench` says what it saves.
"""

from gateway.batch.compile import Compiler, Rules, escape
from gateway.batch.operation import Envelope, HeaderChanges, JsonBody, Operation
from gateway.batch.plain import plain_for_each, plain_header, plain_name, plain_target
from gateway.batch.reference import Parts, Reference
from gateway.batch.routes import METHODS
from gateway.jsontext import UNSET, Given, NotJson, Raw, Record, check_document, make_decoder

_METHODS = frozenset(METHODS)
_AROUND_A_BODY = 3
"""Levels of JSON round a body: its operation, the list, the envelope."""

Placed = list[tuple[str, Reference]]


class _Operation(Record, frozen=True, rename="camel", forbid_unknown_fields=True):
    path: str
    method: str = "GET"
    name: Given[str] = UNSET
    headers: Given[dict[str, str | None]] = UNSET
    body: Given[Raw] = UNSET
    depends_on: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    for_each: Given[str] = UNSET
    timeout: Given[float] = UNSET


class _Envelope(Record, frozen=True, rename="camel", forbid_unknown_fields=True):
    requests: list[_Operation]
    headers: Given[dict[str, str | None]] = UNSET
    timeout: Given[float] = UNSET
    on_error: str = "continue"
    response_headers: Given[bool] = UNSET
    coalesce: bool = True


_decode = make_decoder(_Envelope)


class _NotPlain(Exception):
    """The long way is needed."""


def decode_plain(body: bytes, rules: Rules) -> Envelope | None:
    """The envelope in `body`, or None if it is not plain or something is wrong with it."""
    decoded = _decode(body)
    if decoded is None or not 0 < len(decoded.requests) <= rules.limits.operations:
        return None
    try:
        placed: Placed = []
        headers = _headers(decoded.headers, "", rules, placed)
        if placed or decoded.on_error not in ("continue", "stop") or _has_content_type(headers):
            return None
        return Envelope(
            operations=tuple([_operation(one, f"/requests/{index}", rules) for index, one in enumerate(decoded.requests)]),
            headers=headers,
            timeout=_seconds(decoded.timeout),
            stop_on_error=decoded.on_error == "stop",
            show_headers=None if decoded.response_headers is UNSET else decoded.response_headers,
        )
    except _NotPlain:
        return None


def _operation(one: _Operation, at: str, rules: Rules) -> Operation:
    target = plain_target(one.path, rules)
    name = None if one.name is UNSET else one.name
    if target is None or target.parts is None or one.method not in _METHODS:
        raise _NotPlain
    if name is not None and not plain_name(name, rules.limits.name):
        raise _NotPlain
    placed: Placed = [(f"{at}/path", reference) for reference in target.references] if target.references else []
    headers = () if one.headers is UNSET else _headers(one.headers, at, rules, placed)
    body = None if one.body is UNSET else _body(one, one.body, at, rules, headers, placed)
    for_each = None if one.for_each is UNSET else _for_each(one.for_each, at, rules, placed)
    if len(placed) > rules.limits.references_per_operation:
        raise _NotPlain
    return Operation(
        pointer=at,
        path=one.path,
        target=target.parts,
        name=name,
        method=one.method,
        headers=headers,
        body=body,
        content_type=None if body is None else "application/json",
        depends_on=one.depends_on,
        after=one.after,
        for_each=for_each,
        timeout=_seconds(one.timeout),
        references=tuple(placed),
    )


def _headers(given: Given[dict[str, str | None]], at: str, rules: Rules, placed: Placed) -> HeaderChanges:
    if given is UNSET or not given:
        return ()
    if len(given) > rules.limits.headers:
        raise _NotPlain
    changes: dict[str, Parts | None] = {}
    for name, value in given.items():
        found = plain_header(name, value, rules)
        if found is None:
            raise _NotPlain
        lower, compiled = found
        changes[lower] = compiled.parts
        placed.extend([(f"{at}/headers/{escape(name)}", reference) for reference in compiled.references])
    return tuple(changes.items())


def _has_content_type(headers: HeaderChanges) -> bool:
    return any(name == "content-type" for name, _ in headers)


def _body(one: _Operation, raw: Raw, at: str, rules: Rules, headers: HeaderChanges, placed: Placed) -> JsonBody | None:
    text = bytes(raw)
    if text == b"null":
        return None
    # In the Agendize flavour a string may hold JSON, and with another content type it is text: neither is plain.
    if one.method in ("GET", "HEAD") or text[:1] == b'"' or _has_content_type(headers):
        raise _NotPlain
    try:
        check_document(text, rules.limits.depth - _AROUND_A_BODY)
    except NotJson:
        raise _NotPlain from None
    compiler = Compiler(rules, [])
    parts = compiler.json_body(raw, f"{at}/body")
    if compiler.problems:
        raise _NotPlain
    placed.extend(compiler.references)
    return JsonBody(parts)


def _for_each(text: str, at: str, rules: Rules, placed: Placed) -> Reference:
    reference = plain_for_each(text, rules)
    if reference is None:
        raise _NotPlain
    placed.append((f"{at}/forEach", reference))
    return reference


def _seconds(milliseconds: Given[float]) -> float | None:
    if milliseconds is UNSET:
        return None
    if not milliseconds > 0:
        raise _NotPlain
    return milliseconds / 1000
