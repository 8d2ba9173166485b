"""What references read: the results there are so far, and the forEach item at hand."""

from gateway.batch.content import header
from gateway.batch.jsonpath import JsonPath, TooManyVisits
from gateway.batch.limits import Limits
from gateway.batch.reference import Reference, Source
from gateway.batch.results import Result
from gateway.batch.template import Resolve, Unfillable
from gateway.jsontext import Node, dump
from gateway.messages import Reason, Response

TOO_DEEP = "the value is nested too deeply to be read"


class Lookup:
    """The results of a running batch by step, and each body taken apart at most once however many references read it."""

    def __init__(self, names: dict[str, int], results: list[Result | None], limits: Limits) -> None:
        self._names = names
        self._results = results
        self._limits = limits
        self._documents: dict[int, Node | None] = {}

    def resolve(self, reference: Reference) -> bytes:
        """The value of a reference to another operation, as JSON text. Unfillable if it has none or it is too large."""
        index = self._names[reference.name]
        result = self._results[index]
        match reference.source:
            case Source.STATUS if result is not None:
                return str(result.status).encode()
            case Source.HEADER:
                return self._header(reference, result)
            case Source.RESULT if reference.path is not None:
                return self._value(reference, reference.path, self._document(reference, index, result))
            case _:
                raise Unfillable(Reason.REFERENCE_UNRESOLVED, f"{reference} has no value")

    def resolve_for(self, item: Node, index: int) -> Resolve:
        """`resolve` for one forEach child, whose `${item…}` and `${index}` have values too."""

        def resolve(reference: Reference) -> bytes:
            match reference.source:
                case Source.INDEX:
                    return str(index).encode()
                case Source.ITEM:
                    path = reference.path
                    return self._bounded(reference, item.text()) if path is None else self._value(reference, path, item)
                case _:
                    return self.resolve(reference)

        return resolve

    def items(self, reference: Reference) -> list[Node]:
        """The list a forEach goes over. Unfillable if there is none."""
        path = reference.path
        index = self._names[reference.name]
        if path is None:
            raise Unfillable(Reason.REFERENCE_UNRESOLVED, f"{reference} is no list")
        found = self._find(reference, path, self._document(reference, index, self._results[index]))
        if not path.singular:
            return found
        if not found or not found[0].is_array():
            what = "is missing" if not found else "is no list"
            raise Unfillable(Reason.REFERENCE_UNRESOLVED, f"{reference} {what}")
        return list(found[0].children())

    def _header(self, reference: Reference, result: Result | None) -> bytes:
        if result is not None and isinstance(result.outcome, Response) and result.items is None:
            value = header(result.outcome.headers, reference.field)
            if value is not None:
                return self._bounded(reference, dump(value))
        raise Unfillable(Reason.REFERENCE_UNRESOLVED, f"{reference}: {reference.name} has answered no such header")

    def _document(self, reference: Reference, index: int, result: Result | None) -> Node:
        if index not in self._documents:
            self._documents[index] = _document(result)
        document = self._documents[index]
        if document is None:
            raise Unfillable(Reason.REFERENCE_UNRESOLVED, f"{reference}: {reference.name} has no JSON body")
        return document

    def _value(self, reference: Reference, path: JsonPath, document: Node) -> bytes:
        found = self._find(reference, path, document)
        if path.singular:
            if not found:
                raise Unfillable(Reason.REFERENCE_UNRESOLVED, f"{reference}: there is nothing at {path.text}")
            return self._bounded(reference, found[0].text())
        # Measured before it is put together: a path may match the same large value hundreds of times.
        self._check_size(reference, sum(node.size() + 1 for node in found) + 1)
        return self._bounded(reference, b"[" + b",".join(node.text() for node in found) + b"]")

    def _find(self, reference: Reference, path: JsonPath, document: Node) -> list[Node]:
        try:
            found = self._find_keeping_places(path, document) if isinstance(document, _Items) else None
            if found is None:
                found = path.find(document, self._limits.value_visits)
        except TooManyVisits:
            detail = f"{reference} looks at more than {self._limits.value_visits} values"
            raise Unfillable(Reason.REFERENCE_TOO_LARGE, detail) from None
        except RecursionError:
            raise Unfillable(Reason.REFERENCE_TOO_LARGE, f"{reference}: {TOO_DEEP}") from None
        if len(found) > self._limits.value_matches:
            detail = f"{reference} matches {len(found)} values, {self._limits.value_matches} are allowed"
            raise Unfillable(Reason.REFERENCE_TOO_LARGE, detail)
        return found

    def _find_keeping_places(self, path: JsonPath, document: Node) -> list[Node] | None:
        """`$[*].x` over the children of a forEach: one value per child, null where it has none."""
        if not path.starts_with_wildcard():
            return None
        rest = path.after_first()
        if not rest.singular:
            return None
        found = [rest.find(child, self._limits.value_visits) for child in document.children()]
        return [values[0] if values else _NULL for values in found]

    def _bounded(self, reference: Reference, value: bytes) -> bytes:
        self._check_size(reference, len(value))
        return value

    def _check_size(self, reference: Reference, size: int) -> None:
        if size > self._limits.value:
            detail = f"{reference} is {size} bytes long, {self._limits.value} are allowed"
            raise Unfillable(Reason.REFERENCE_TOO_LARGE, detail)


class _Items(Node):
    """The bodies of a forEach operation's children."""

    __slots__ = ()


_NULL = Node(b"null")


def _document(result: Result | None) -> Node | None:
    if result is None:
        return None
    if result.items is not None:
        return _Items(b"[" + b",".join(item.content.body if item.holds_json else b"null" for item in result.items) + b"]")
    return Node(result.content.body) if result.holds_json else None
