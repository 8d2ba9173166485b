"""The Graph envelope (OData JSON Format 4.01 section 19.1): bytes to operations, every problem found, a pointer to each.

decode_graph
  a  the bytes are JSON as RFC 8259 has it, an object with a list of requests
  b  who is there: each request's id, method and url, which others refer to
  c  each request's fields, its references to others resolved by id
Pointers to a url or an id end in `path` and `name`, as the plan's do; the dialect spells them as its clients know them.
"""

from gateway.batch.compile import Compiler, Rules
from gateway.batch.headers import shorten
from gateway.batch.operation import Envelope, Operation
from gateway.batch.reference import FORBIDDEN_NAMES, Parts, Reference, Source
from gateway.batch.routes import METHODS
from gateway.dialects.fields import Fields, describe
from gateway.dialects.graph_body import read_graph_body
from gateway.dialects.graph_references import Ids, split_start, split_url
from gateway.dialects.graph_url import BadUrl, Base
from gateway.dialects.header_fields import read_headers
from gateway.dialects.native_body import check_bodiless
from gateway.dialects.native_decode import is_control
from gateway.errors import Problem, Refusal, refuse_envelope
from gateway.jsontext import NotJson, Raw, check_document, elements, members
from gateway.messages import Reason

_FIELDS = ("id", "method", "url", "headers", "body", "dependsOn", "depends_on", "if", "atomicityGroup")
_REFUSED = {
    "if": "conditions are not supported: every request runs once those it depends on have succeeded",
    "atomicityGroup": "atomicity groups are not supported: requests are sent one by one, and none can be taken back",
}
_NULLABLE = frozenset(_FIELDS) - {"id", "method", "url"}


def decode_graph(body: bytes, rules: Rules, base: Base) -> Envelope:
    """The envelope in `body` with the problems found in it; a Refusal if there is no envelope at all."""
    # a
    try:
        check_document(body, rules.limits.depth)
    except NotJson as error:
        raise Refusal(Reason.MALFORMED_JSON, str(error)) from None
    problems: list[Problem] = []
    fields = Fields(members(body) or {}, "", problems)
    fields.check_known(("requests",), "the batch")
    listed = elements(fields.raw["requests"]) if "requests" in fields else None
    if not listed:
        what = "is empty: there is nothing to do" if listed == [] else "must be a list of requests in an object"
        fields.wrong("requests", f"requests {what}")
        raise refuse_envelope(problems)
    most = rules.limits.operations
    if len(listed) > most:
        fields.wrong("requests", f"{len(listed)} requests, {most} are allowed in one batch", Reason.TOO_MANY_OPERATIONS)
        raise refuse_envelope(problems)
    decoder = _Decoder(rules, base, problems)
    asked = [decoder.meet(raw, f"/requests/{index}") for index, raw in enumerate(listed)]
    operations = [decoder.operation(one) for one in asked if one is not None]
    return Envelope(operations=tuple(operations), problems=tuple(problems))


class _Asked:
    """A request as far as others refer to it. `id` is None if it is wrong or taken, `url` without version prefix or None."""

    __slots__ = ("fields", "id", "method", "url")

    def __init__(self, fields: Fields, name: str | None, method: str, url: str | None) -> None:
        self.fields = fields
        self.id = name
        self.method = method
        self.url = url


class _Decoder:
    def __init__(self, rules: Rules, base: Base, problems: list[Problem]) -> None:
        self.rules = rules
        self.base = base
        self.problems = problems
        self.asked: dict[str, _Asked] = {}
        self.names: dict[str, str] = {}
        self.ids = Ids(self.names)

    # b
    def meet(self, raw: Raw, at: str) -> _Asked | None:
        opened = members(raw)
        if opened is None:
            self.problems.append(Problem(at, Reason.INVALID_ENVELOPE, f"a request must be an object, got {describe(raw)}"))
            return None
        # Serialisers write null for what is absent.
        present = {name: value for name, value in opened.items() if name not in _NULLABLE or bytes(value) != b"null"}
        fields = Fields(present, at, self.problems)
        fields.check_known(_FIELDS, "a request")
        for field, why in _REFUSED.items():
            if field in fields:
                fields.wrong(field, why, Reason.NOT_SUPPORTED)
        asked = _Asked(fields, self._id(fields), _method(fields), self._url(fields))
        if asked.id is not None:
            self.names[asked.id.lower()] = asked.id
            self.asked[asked.id] = asked
        return asked

    def _id(self, fields: Fields) -> str | None:
        name = fields.string("id")
        most = self.rules.limits.name
        wrong = None
        if name is None:
            wrong = "id is missing" if "id" not in fields else None
        elif not name:
            wrong = "id is empty"
        elif len(name) > most:
            wrong = f"id has {len(name)} characters, {most} are allowed"
        elif name in FORBIDDEN_NAMES:
            wrong = f"the id {name!r} is not allowed: it would reach into a JavaScript client's objects"
        elif any(is_control(character) for character in name):
            wrong = "id may not hold control characters"
        elif (taken := self.names.get(name.lower())) is not None:
            detail = f"the id {name!r} is taken by {self.asked[taken].fields.at}; ids are compared without regard to case"
            fields.problems.append(Problem(f"{fields.at}/name", Reason.DUPLICATE_NAME, detail))
            return None
        else:
            return name
        if wrong is not None:
            fields.problems.append(Problem(f"{fields.at}/name", Reason.INVALID_ENVELOPE, wrong))
        return None

    def _url(self, fields: Fields) -> str | None:
        url = fields.string("url")
        wrong = "url is missing" if "url" not in fields else None
        try:
            if url is not None:
                return self.base.read(url)
        except BadUrl as error:
            wrong = str(error)
        # Told under `path` where there is no url at all too: then the plan has nothing to look up.
        fields.problems.append(Problem(f"{fields.at}/path", Reason.PATH_NOT_ALLOWED, wrong or "there is no url to go to"))
        return None

    # c
    def operation(self, asked: _Asked) -> Operation:
        fields = asked.fields
        compiler = Compiler(self.rules, self.problems)
        depends_on = self._depends_on(fields)
        target: Parts = ()
        if asked.url is not None:
            pointer = f"{fields.at}/path"
            target = _join(self._target(asked.url, pointer, compiler, (asked.id,)))
            if target:
                started = split_start(asked.url, self.ids)
                depends_on = depends_on if started is None else (*depends_on, started[0])
                compiler.checked_target(target, pointer)
        headers = read_headers(fields, compiler)
        check_bodiless(fields, asked.method)
        body, content_type = read_graph_body(fields, compiler, headers, self.ids)
        return Operation(
            pointer=fields.at,
            path=asked.url or "",
            target=target,
            name=asked.id,
            method=asked.method,
            headers=headers,
            body=body,
            content_type=content_type,
            depends_on=depends_on,
            references=tuple(compiler.references),
        )

    def _target(self, url: str, pointer: str, compiler: Compiler, above: tuple[str | None, ...]) -> Parts:
        """The parts of a url, none if it is wrong. One that starts with another request's id goes on from where that leads."""
        started = split_start(url, self.ids)
        if started is None:
            return split_url(self.base.extend(url), pointer, self.ids, compiler)
        name, rest = started
        other = self.asked[name]
        if name in above or other.url is None:
            detail = f"${name} leads round in a circle" if name in above else f"${name} is a request without a usable url"
            compiler.wrong(pointer, Reason.DEPENDENCY_CYCLE if name in above else Reason.INVALID_REFERENCE, detail)
            return ()
        parts = _path_alone(self._target(other.url, pointer, compiler, (*above, name)))
        if not parts:
            return ()
        if other.method == "POST":  # what it created stands below its own path; any other url is that of the thing itself
            created = Reference(Source.LOCATION, name)
            compiler.references.append((pointer, created))
            parts = (*_glue(parts, "/"), created)
        return parts + split_url(rest, pointer, self.ids, compiler, "?" in rest[:1]) if rest else parts

    def _depends_on(self, fields: Fields) -> tuple[str, ...]:
        found: list[str] = []
        for field in ("dependsOn", "depends_on"):
            names = fields.names(field)
            if len(names) > self.rules.limits.operations:
                detail = f"{len(names)} ids, and a batch has at most {self.rules.limits.operations} requests"
                fields.wrong(field, detail, Reason.INVALID_REFERENCE)
                continue
            for position, name in enumerate(names):
                known = self.ids.find(name)
                if known is not None:
                    found.append(known)
                    continue
                detail = f"there is no request with the id {shorten(name)}"
                fields.problems.append(Problem(f"{fields.pointer(field)}/{position}", Reason.INVALID_REFERENCE, detail))
        return tuple(found)


def _method(fields: Fields) -> str:
    """In any case (OData JSON Format 4.01 section 19.1)."""
    method = fields.string("method")
    if "method" not in fields:
        fields.wrong("method", "method is missing")
    elif method is not None and method.upper() in METHODS:
        return method.upper()
    elif method is not None:
        detail = f"{method[:20]!r} is not a method a request can have; allowed: {', '.join(METHODS)}"
        fields.wrong("method", detail, Reason.METHOD_NOT_ALLOWED)
    return "GET"


def _path_alone(parts: Parts) -> Parts:
    """The parts of a target without its query."""
    kept: list[str | Reference] = []
    for part in parts:
        path, question, _ = part.partition("?") if isinstance(part, str) else (part, "", "")
        if path:
            kept.append(path)
        if question:
            break
    return tuple(kept)


def _glue(parts: Parts, text: str) -> Parts:
    """The parts with a text after them, which does not double a slash that ends them."""
    last = parts[-1] if parts else ""
    if isinstance(last, str):
        return (*parts[:-1], last.removesuffix("/") + text)
    return (*parts, text)


def _join(parts: Parts) -> Parts:
    """The parts with neighbouring texts as one: what leads to a route is the text they begin with."""
    joined: list[str | Reference] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, str) and isinstance(last, str):
            joined[-1] = last + part
        else:
            joined.append(part)
    return tuple(joined)
