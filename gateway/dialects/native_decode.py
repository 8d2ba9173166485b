"""The native envelope: bytes to operations, with every problem found and a pointer to each.

decode
  a  the bytes are JSON as RFC 8259 has it, and an object
  b  the envelope's own fields
  c  each operation's fields, and those nested in it
Texts become templates through the compiler; what the plan needs to know (routes, names, cycles) is checked there.
"""

from typing import Any
from unicodedata import category

from gateway.batch.compile import Compiler, Rules, escape
from gateway.batch.operation import Envelope, Operation, Select
from gateway.batch.reference import FORBIDDEN_IN_NAMES, FORBIDDEN_NAMES, Reference
from gateway.batch.routes import METHODS
from gateway.dialects.fields import Fields, describe
from gateway.dialects.header_fields import read_headers
from gateway.dialects.native_body import check_bodiless, content_type_after, read_body
from gateway.errors import Problem, Refusal, refuse_envelope
from gateway.jsontext import NotJson, Raw, check_document, elements, load, members
from gateway.messages import Reason

_ENVELOPE_FIELDS = ("requests", "headers", "timeout", "onError", "responseHeaders", "coalesce")
_OPERATION_FIELDS = (
    "path", "method", "name", "headers", "body", "bodyEncoding", "dependsOn", "after", "forEach", "requests", "timeout",
    "select", "omit", "upstream",
)  # fmt: skip


def decode(body: bytes, rules: Rules, json_in_strings: bool) -> Envelope:
    """The envelope in `body` with the problems found in it; a Refusal if there is no envelope at all.

    `json_in_strings`: a body string that holds a JSON object or array is that JSON.
    """
    # a
    try:
        check_document(body, rules.limits.depth)
    except NotJson as error:
        raise Refusal(Reason.MALFORMED_JSON, str(error)) from None
    fields = members(body)
    if fields is None:
        raise refuse_envelope([Problem("", Reason.INVALID_ENVELOPE, "the batch must be a JSON object with a list of requests")])
    return _Decoder(rules, json_in_strings).envelope(fields)


class _Decoder:
    def __init__(self, rules: Rules, json_in_strings: bool) -> None:
        self.rules = rules
        self.json_in_strings = json_in_strings
        self.problems: list[Problem] = []
        self.content_type: str | None = None
        self.count = 0

    # b
    def envelope(self, raw: dict[str, Raw]) -> Envelope:
        fields = Fields(raw, "", self.problems)
        fields.check_known(_ENVELOPE_FIELDS, "the batch")
        compiler = Compiler(self.rules, self.problems)
        headers = read_headers(fields, compiler)
        for pointer, reference in compiler.references:
            detail = f"{reference} stands in the batch's own headers; write it in an operation's"
            compiler.wrong(pointer, Reason.INVALID_REFERENCE, detail)
        self.content_type = content_type_after(headers, None)
        if "requests" not in fields:
            fields.wrong("requests", "requests is missing: a batch is a list of operations")
        return Envelope(
            operations=self._operations(fields),
            headers=headers,
            timeout=fields.milliseconds("timeout"),
            stop_on_error=fields.choice("onError", ("continue", "stop")) == "stop",
            show_headers=fields.boolean("responseHeaders"),
            coalesce=fields.boolean("coalesce") is not False,
            problems=tuple(self.problems),
        )

    def _operations(self, fields: Fields) -> tuple[Operation, ...]:
        if "requests" not in fields:
            return ()
        listed = elements(fields.raw["requests"])
        most = self.rules.limits.operations
        if listed is None:
            fields.wrong("requests", f"requests must be a list of operations, got {describe(fields.raw['requests'])}")
            return ()
        if not listed:
            fields.wrong("requests", "requests is empty: there is nothing to do")
        self.count += len(listed)
        if self.count > most:
            self._refuse_count()
            return ()
        found = [self._operation(raw, f"{fields.pointer('requests')}/{index}") for index, raw in enumerate(listed)]
        return tuple(operation for operation in found if operation is not None)

    def _refuse_count(self) -> None:
        """Told once, about the whole tree, as soon as it is certain: operations past the limit are not looked at."""
        if not any(problem.reason is Reason.TOO_MANY_OPERATIONS for problem in self.problems):
            most = self.rules.limits.operations
            detail = f"{self.count} operations, {most} are allowed in one batch"
            self.problems.append(Problem("/requests", Reason.TOO_MANY_OPERATIONS, detail))

    # c
    def _operation(self, raw: Raw, at: str) -> Operation | None:
        opened = members(raw)
        if opened is None:
            self.problems.append(Problem(at, Reason.INVALID_ENVELOPE, f"an operation must be an object, got {describe(raw)}"))
            return None
        fields = Fields(opened, at, self.problems)
        fields.check_known(_OPERATION_FIELDS, "an operation")
        compiler = Compiler(self.rules, self.problems)
        if "path" not in fields:
            fields.wrong("path", "path is missing")
        path = fields.string("path")
        target = compiler.target(path, fields.pointer("path")) if path is not None else ()
        headers = read_headers(fields, compiler)
        method = _method(fields)
        body, content_type = read_body(fields, compiler, headers, self.content_type, self.json_in_strings)
        check_bodiless(fields, method)
        for_each = _for_each(fields, compiler)
        omit = _omit(fields)
        return Operation(
            pointer=at,
            path=path or "",
            target=target,
            name=self._name(fields),
            method=method,
            headers=headers,
            body=body,
            content_type=content_type,
            depends_on=fields.names("dependsOn"),
            after=fields.names("after"),
            for_each=for_each,
            nested=self._operations(fields),
            timeout=fields.milliseconds("timeout"),
            select=_select(fields, compiler),
            omit=omit is True,
            omit_on_success=omit == "onSuccess",
            upstream=fields.string("upstream"),
            references=_placed(fields, compiler, for_each),
        )

    def _name(self, fields: Fields) -> str | None:
        name = fields.string("name")
        if name is None:
            return None
        most = self.rules.limits.name
        if not name:
            fields.wrong("name", "name is empty; leave it out instead")
        elif len(name) > most:
            fields.wrong("name", f"name has {len(name)} characters, {most} are allowed")
        elif name in FORBIDDEN_NAMES:
            fields.wrong("name", f"the name {name!r} is not allowed: it would reach into a JavaScript client's objects")
        elif FORBIDDEN_IN_NAMES & set(name) or any(is_control(character) for character in name):
            fields.wrong("name", "name may hold neither ':', '{', '}' nor control characters")
        return name


def _method(fields: Fields) -> str:
    method = fields.string("method")
    if method is None or method in METHODS:
        return method or "GET"
    hint = f"; did you mean {method.upper()}?" if method.upper() in METHODS else f"; allowed: {', '.join(METHODS)}"
    fields.wrong("method", f"{method[:20]!r} is not a method an operation can have{hint}", Reason.METHOD_NOT_ALLOWED)
    return "GET"


def _for_each(fields: Fields, compiler: Compiler) -> Reference | None:
    text = fields.string("forEach")
    if text is None:
        return None
    if "requests" in fields:
        fields.wrong("requests", "requests cannot be nested in a forEach operation")
    return compiler.for_each(text, fields.pointer("forEach"))


def _placed(fields: Fields, compiler: Compiler, for_each: Reference | None) -> tuple[tuple[str, Reference], ...]:
    """The operation's references; where forEach is wrong, which has been told, without those to its items."""
    if "forEach" in fields and for_each is None:
        return tuple(placed for placed in compiler.references if not placed[1].is_of_item())
    return tuple(compiler.references)


def _select(fields: Fields, compiler: Compiler) -> Select | None:
    if "select" not in fields:
        return None
    pointer = fields.pointer("select")
    wanted = load(fields.raw["select"])
    named: dict[str | None, Any] = wanted if isinstance(wanted, dict) else {None: wanted}
    paths = []
    for name, text in named.items():
        at = pointer if name is None else f"{pointer}/{escape(name)}"
        if not isinstance(text, str):
            compiler.wrong(at, Reason.INVALID_ENVELOPE, "select is a JSONPath or an object of JSONPaths by name")
        elif (path := compiler.select(text, at)) is not None:
            paths.append((name, path))
    return Select(tuple(paths))


def _omit(fields: Fields) -> bool | str | None:
    value: object = load(fields.raw["omit"]) if "omit" in fields else None
    if value is None or isinstance(value, bool):
        return value
    if value == "onSuccess":
        return "onSuccess"
    fields.wrong("omit", f'omit must be true or "onSuccess", got {describe(fields.raw["omit"])}')
    return None


def is_control(character: str) -> bool:
    """Whether a character is a control (Unicode category Cc) or half a surrogate pair."""
    return category(character) in ("Cc", "Cs")
