"""The quick way through the Graph envelope, for batches that use what most use. It accepts or gives up; it never refuses.

What it gives up on goes the long way, graph_decode. Where it accepts, both give the same envelope: a property test says so.
"""

from gateway.batch.compile import Rules
from gateway.batch.content import is_json_type
from gateway.batch.operation import Body, Envelope, HeaderChanges, JsonBody, Operation
from gateway.batch.plain import are_plain_names, are_plain_targets, known_headers
from gateway.batch.routes import METHODS
from gateway.batch.template import literal
from gateway.dialects.graph_shapes import GraphEnvelope, GraphRequest
from gateway.dialects.graph_url import BadUrl, Base
from gateway.jsontext import UNSET, Given, NotJson, Raw, are_tame, check_document, make_decoder

_METHODS = frozenset(METHODS)
_BODILESS = frozenset({"GET", "HEAD"})
_AROUND_A_BODY = 3
"""Levels of JSON round a body: its request, the list, the envelope."""

_read = make_decoder(GraphEnvelope)

_pointers: list[str] = []
"""To the requests of a batch, as many as the largest one yet had: they are the same in all."""


class _NotPlain(Exception):
    """The long way is needed."""


def decode_plain_graph(body: bytes, rules: Rules, base: Base) -> Envelope | None:
    """The envelope in `body`, or None if it is not plain or something is wrong with it."""
    decoded = _read(body)
    if decoded is None or not 0 < len(decoded.requests) <= rules.limits.operations:
        return None
    try:
        return Envelope(_operations(decoded.requests, rules, base))
    except _NotPlain:
        return None


def _operations(given: list[GraphRequest], rules: Rules, base: Base) -> tuple[Operation, ...]:
    ids = frozenset(_check_ids([one.id for one in given], rules))
    urls = _paths([one.url for one in given], rules, base)
    for index in range(len(_pointers), len(given)):
        _pointers.append(f"/requests/{index}")
    operations = []
    before: Given[Raw] = UNSET
    headers: HeaderChanges = ()
    for index, one in enumerate(given):
        at, url, method = _pointers[index], urls[index], one.method
        if method not in _METHODS:
            raise _NotPlain
        if one.headers != before:
            before = one.headers
            headers = () if before is UNSET else _headers(before, rules)
        depends_on = one.depends_on or one.depends_on_too
        if one.body is UNSET and not depends_on:
            operations.append(Operation(at, url, (base.extend(url),), one.id, method, headers))
            continue
        if not ids.issuperset(depends_on) or (one.depends_on and one.depends_on_too):
            raise _NotPlain
        content_type = None if one.body is UNSET else _json_type(method, headers)
        body = None if one.body is UNSET else _body(one.body, rules)
        target = (base.extend(url),)
        operations.append(
            Operation(
                pointer=at,
                path=url,
                target=target,
                name=one.id,
                method=method,
                headers=headers,
                body=body,
                content_type=content_type,
                depends_on=depends_on,
            )
        )
    return tuple(operations)


def _check_ids(ids: list[str], rules: Rules) -> list[str]:
    if not are_plain_names(ids, rules.limits.name) or len(set("\n".join(ids).lower().split("\n"))) != len(ids):
        raise _NotPlain
    return ids


def _paths(urls: list[str], rules: Rules, base: Base) -> list[str]:
    """The paths of urls that hold no reference."""
    together = "\n".join(urls)
    if "$" in together and ("${" in together or any(_may_refer(url) for url in urls)):
        raise _NotPlain
    if "//" in together or f"\n{together}".count("\n/") != len(urls) or (base.prefix and base.prefix in together):
        try:
            urls = [base.read(url) for url in urls]
        except BadUrl:
            raise _NotPlain from None
    sent = [base.extend(url) for url in urls] if base.keeps_version else urls
    # A `$` may stand wherever a `!` may.
    if not are_plain_targets([url.replace("$", "!") for url in sent] if "$" in together else sent, rules.limits.target):
        raise _NotPlain
    return urls


def _may_refer(url: str) -> bool:
    return url[:1] == "$" or "/$" in url or "=$" in url


def _headers(given: Raw, rules: Rules) -> HeaderChanges:
    known = known_headers(given, rules)
    if known is None or known[1]:
        raise _NotPlain
    return known[0]


def _json_type(method: str, headers: HeaderChanges) -> str:
    """The content type of a JSON body."""
    if method in _BODILESS:
        raise _NotPlain
    for name, parts in headers:
        if name == "content-type":
            text = None if parts is None else literal(parts)
            if text is None or not is_json_type(text):
                raise _NotPlain
            return text
    return "application/json"


def _body(raw: Raw, rules: Rules) -> Body:
    text = bytes(raw)
    if text[:1] in (b'"', b"n") or b"$" in text or b"\\u" in text:
        raise _NotPlain
    if not are_tame([text], rules.limits.depth - _AROUND_A_BODY):
        try:
            check_document(text, rules.limits.depth - _AROUND_A_BODY)
        except NotJson:
            raise _NotPlain from None
    return JsonBody((text,))
