"""The quick way through the native envelope: decoded in one pass, for batches that use what most batches use.

It accepts or gives up; it never refuses. What it gives up on (a mistake, nested requests, a field seldom used) goes the long
way, native_decode, which finds every problem with a pointer to each. Where it accepts, both give the same envelope: a
property test says so, and `make bench` says what it saves.
"""

from typing import NoReturn

from gateway.batch.compile import Compiler, Rules, escape
from gateway.batch.operation import Envelope, HeaderChanges, JsonBody, Operation
from gateway.batch.plain import (
    HeaderReferences,
    are_plain_names,
    are_plain_targets,
    known_for_each,
    known_headers,
    known_target,
)
from gateway.batch.reference import Reference
from gateway.batch.routes import METHODS
from gateway.dialects.native_shapes import PlainEnvelope, PlainOperation
from gateway.jsontext import UNSET, Given, NotJson, Raw, are_tame, check_document, make_decoder

_METHODS = frozenset(METHODS)
_AROUND_A_BODY = 3
"""Levels of JSON round a body: its operation, the list, the envelope."""

_NO_HEADERS: tuple[HeaderChanges, HeaderReferences] = ((), ())

Placed = list[tuple[str, Reference]]

_pointers: list[str] = []
"""To the operations of a batch, as many as the largest one yet had: they are the same in all."""


_decode = make_decoder(PlainEnvelope)


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
            coalesce=decoded.coalesce,
        )
    except _NotPlain:
        return None


def _operations(given: list[PlainOperation], rules: Rules) -> tuple[Operation, ...]:
    # The rarer fields are read in a function of their own: half of the time of a function for each field.
    _check_all(given, rules)
    for index in range(len(_pointers), len(given)):
        _pointers.append(f"/requests/{index}")
    operations = []
    before: Given[Raw] = UNSET
    headers, placed = _NO_HEADERS
    for index, one in enumerate(given):
        at, path = _pointers[index], one.path
        name = None if one.name is UNSET else one.name
        if one.headers != before:
            before = one.headers
            headers, placed = _NO_HEADERS if before is UNSET else _headers(before, rules)
        if (
            placed
            or one.body is not UNSET
            or one.for_each is not UNSET
            or one.depends_on
            or one.after
            or one.timeout is not UNSET
            or "${" in path
        ):
            operations.append(_operation(one, at, rules, name, headers, placed))
        else:
            operations.append(Operation(at, path, (path,), name, one.method, headers))
    return tuple(operations)


def _check_all(given: list[PlainOperation], rules: Rules) -> None:
    """What can be looked at for all operations at once. Paths with references are left to the compiler."""
    limits = rules.limits
    names: list[str] = []
    targets: list[str] = []
    bodies: list[bytes] = []
    for one in given:
        if one.method not in _METHODS:
            raise _NotPlain
        if one.name is not UNSET:
            names.append(one.name)
        if "${" not in one.path:
            targets.append(one.path)
        if one.body is not UNSET:
            bodies.append(bytes(one.body))
    if not are_plain_names(names, limits.name) or not are_plain_targets(targets, limits.target):
        raise _NotPlain
    if bodies:
        _check_bodies(bodies, limits.depth - _AROUND_A_BODY)


def _check_bodies(bodies: list[bytes], depth: int) -> None:
    """Bodies are passed on, so each is held to what `check_document` says of the whole envelope on the long way."""
    if not are_tame(bodies, depth):
        try:
            for body in bodies:
                check_document(body, depth)
        except NotJson:
            raise _NotPlain from None


def _operation(
    one: PlainOperation,
    at: str,
    rules: Rules,
    name: str | None,
    headers: HeaderChanges,
    in_headers: HeaderReferences,
) -> Operation:
    """An operation that uses more than a path, a method, a name and headers."""
    target, in_target = known_target(one.path, rules) or _give_up() if "${" in one.path else ((one.path,), ())
    placed = [(f"{at}/path", reference) for reference in in_target]
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


def _headers(given: Raw, rules: Rules) -> tuple[HeaderChanges, HeaderReferences]:
    return known_headers(given, rules) or _give_up()


def _has_content_type(headers: HeaderChanges) -> bool:
    return any(name == "content-type" for name, _ in headers)


def _body(one: PlainOperation, raw: Raw, at: str, rules: Rules, headers: HeaderChanges, placed: Placed) -> JsonBody | None:
    text = bytes(raw)
    if text == b"null":
        return None
    # In the Agendize flavour a string may hold JSON, and with another content type it is text: neither is plain.
    if one.method in ("GET", "HEAD") or text[:1] == b'"' or _has_content_type(headers):
        raise _NotPlain
    if b"$" not in text and b"\\" not in text:  # nowhere to hold a reference, so nothing to compile
        return JsonBody((text,))
    compiler = Compiler(rules, [])
    parts = compiler.json_body(text, f"{at}/body")
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
