"""The quick way through the native envelope: decoded in one pass, for batches that use what most batches use.

It accepts or gives up; it never refuses. What it gives up on (a mistake, nested requests, a field seldom used) goes the long
way, native_decode, which finds every problem with a pointer to each. Where it accepts, both give the same envelope: a
property test says so, and `make bench` says what it saves.
"""

from typing import NoReturn

from gateway.batch.compile import Compiler, Rules, escape
from gateway.batch.operation import Envelope, HeaderChanges, JsonBody, Operation
from gateway.batch.plain import HeaderReferences, is_plain_target, known_for_each, known_headers, known_target, plain_name
from gateway.batch.reference import Reference
from gateway.batch.routes import METHODS
from gateway.jsontext import UNSET, Given, NotJson, Raw, Record, check_document, make_decoder

_METHODS = frozenset(METHODS)
_AROUND_A_BODY = 3
"""Levels of JSON round a body: its operation, the list, the envelope."""

_NO_HEADERS: tuple[HeaderChanges, HeaderReferences] = ((), ())

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
        headers, placed = _NO_HEADERS if decoded.headers is UNSET else _headers(decoded.headers, rules)
        if placed or decoded.on_error not in ("continue", "stop") or _has_content_type(headers):
            return None
        return Envelope(
            operations=_operations(decoded.requests, rules),
            headers=headers,
            timeout=_seconds(decoded.timeout),
            stop_on_error=decoded.on_error == "stop",
            show_headers=None if decoded.response_headers is UNSET else decoded.response_headers,
        )
    except _NotPlain:
        return None


def _operations(given: list[_Operation], rules: Rules) -> tuple[Operation, ...]:
    # Written out in one loop, and the rarer fields in a function of their own: half of the time of a function for each field.
    operations = []
    longest_name, longest_target = rules.limits.name, rules.limits.target
    for index, one in enumerate(given):
        path, method = one.path, one.method
        name = None if one.name is UNSET else one.name
        if method not in _METHODS or (name is not None and not plain_name(name, longest_name)):
            raise _NotPlain
        headers, placed = _NO_HEADERS if one.headers is UNSET else _headers(one.headers, rules)
        at = f"/requests/{index}"
        if (
            placed
            or one.body is not UNSET
            or one.for_each is not UNSET
            or one.depends_on
            or one.after
            or one.timeout is not UNSET
            or not is_plain_target(path, longest_target)
        ):
            operations.append(_operation(one, at, rules, name, headers, placed))
        else:
            operations.append(Operation(at, path, (path,), name, method, headers))
    return tuple(operations)


def _operation(
    one: _Operation,
    at: str,
    rules: Rules,
    name: str | None,
    headers: HeaderChanges,
    in_headers: HeaderReferences,
) -> Operation:
    """An operation that uses more than a path, a method, a name and headers."""
    if "${" in one.path:
        target, referenced = known_target(one.path, rules) or _give_up()
        placed = [(f"{at}/path", reference) for reference in referenced]
    elif is_plain_target(one.path, rules.limits.target):
        target, placed = (one.path,), []
    else:
        raise _NotPlain
    placed.extend([(f"{at}/headers/{escape(spelled)}", reference) for spelled, reference in in_headers])
    body = None if one.body is UNSET else _body(one, one.body, at, rules, headers, placed)
    for_each = None if one.for_each is UNSET else known_for_each(one.for_each, rules) or _give_up()
    if for_each is not None:
        placed.append((f"{at}/forEach", for_each))
    if len(placed) > rules.limits.references_per_operation:
        raise _NotPlain
    return Operation(
        pointer=at,
        path=one.path,
        target=target,
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


def _give_up() -> NoReturn:
    raise _NotPlain


def _headers(given: dict[str, str | None], rules: Rules) -> tuple[HeaderChanges, HeaderReferences]:
    return known_headers(given, rules) or _give_up()


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


def _seconds(milliseconds: Given[float]) -> float | None:
    if milliseconds is UNSET:
        return None
    if not milliseconds > 0:
        raise _NotPlain
    return milliseconds / 1000
