"""What references read: the results there are so far, the forEach item at hand, and parameters."""

from gateway.batch.content import header
from gateway.batch.jsonpath import JsonPath, TooManyVisits
from gateway.batch.limits import Limits
from gateway.batch.location import Elsewhere, read_created
from gateway.batch.reference import Reference, Source
from gateway.batch.results import Result
from gateway.batch.template import Resolve, Unfillable
from gateway.jsontext import Node, Record, dump
from gateway.messages import Reason, Response

TOO_DEEP = "the value is nested too deeply to be read"

_LOCATION = Source.LOCATION
_ID = JsonPath("$.id", True, (), ("id",))


class Lookup:
    """The results of a running batch by step, and each body taken apart at most once however many references read it."""

    def __init__(self, names: dict[str, int], results: list[Result | None], limits: Limits) -> None:
        self._names = names
        self._results = results
        self._limits = limits
        self._documents: dict[int, Node] = {}
        self._parameters: dict[bytes, Node] = {}

    def resolve(self, reference: Reference) -> bytes:
        """The value of a reference to another operation, as JSON text. Unfillable if it has none or it is too large."""
        index = self._names[reference.name]
        result = self._results[index]
        # Told apart by what they have: under Python 3.11 naming a member of an enum is a function call, here one per value.
        if reference.path is not None:
            return self.value(reference, reference.path, self._document(reference, index, result))
        if reference.field:
            return self._header(reference, result)
        if result is None:
            raise Unfillable(Reason.REFERENCE_UNRESOLVED, f"{reference} has no value")
        if reference.source is _LOCATION:
            return self._location(reference, index, result)
        return str(result.status).encode()

    def resolve_for(self, item: Node, index: int) -> Resolve:
        """`resolve` for one forEach child, whose `${item…}` and `${index}` have values too."""
        return _ForItem(self, item, index).resolve

    def resolve_with(self, parameters: bytes, resolve: Resolve) -> Resolve:
        """`resolve` for an operation that has parameters, the JSON text of an object, whose `${param…}` have values too."""
        return _WithParameters(self, self._parsed(parameters), resolve).resolve

    def items(self, reference: Reference, parameters: bytes | None = None) -> list[Node]:
        """The list a forEach goes over. Unfillable if there is none."""
        path = reference.path
        if path is None:
            raise Unfillable(Reason.REFERENCE_UNRESOLVED, f"{reference} is no list")
        if reference.name or parameters is None:
            index = self._names[reference.name]
            document = self._document(reference, index, self._results[index])
        else:
            document = self._parsed(parameters)
        found = self._find(reference, path, document)
        if not path.singular:
            return found
        if not found or not found[0].is_array():
            what = "is missing" if not found else "is no list"
            raise Unfillable(Reason.REFERENCE_UNRESOLVED, f"{reference} {what}")
        return list(found[0].children())

    def value(self, reference: Reference, path: JsonPath, document: Node) -> bytes:
        """What a reference finds in a document, as JSON text: a value, or a list where the path names more than one place."""
        if not path.singular:
            return self._list(reference, self._find(reference, path, document))
        try:
            found = path.find_one(document, self._limits.value_visits)
        except (TooManyVisits, RecursionError) as error:
            raise self._too_costly(reference, error) from None
        if found is None:
            raise Unfillable(Reason.REFERENCE_UNRESOLVED, f"{reference}: there is nothing at {path.text}")
        return self.bounded(reference, found.text())

    def _list(self, reference: Reference, found: list[Node]) -> bytes:
        # Measured before it is put together: a path may match the same large value hundreds of times.
        size = sum([node.size() + 1 for node in found]) + 1
        if size > self._limits.value:
            raise self._too_large(reference, size)
        return self.bounded(reference, b"[" + b",".join([node.text() for node in found]) + b"]")

    def bounded(self, reference: Reference, value: bytes) -> bytes:
        """`value`; Unfillable if it is larger than a value may be."""
        if len(value) > self._limits.value:
            raise self._too_large(reference, len(value))
        return value

    def _header(self, reference: Reference, result: Result | None) -> bytes:
        if result is not None and isinstance(result.outcome, Response) and result.items is None:
            value = header(result.outcome.headers, reference.field)
            if value is not None:
                return self.bounded(reference, dump(value))
        raise Unfillable(Reason.REFERENCE_UNRESOLVED, f"{reference}: {reference.name} has answered no such header")

    def _location(self, reference: Reference, index: int, result: Result) -> bytes:
        """What names a thing below the path it was created at: the end of its Location, else its id."""
        try:
            created = read_created(result)
        except Elsewhere:
            detail = f"{reference}: the Location that {reference.name} has answered is not below its path"
            raise Unfillable(Reason.REFERENCE_UNRESOLVED, detail) from None
        if created is None:
            return self.value(reference, _ID, self._document(reference, index, result))
        return self.bounded(reference, dump(created))

    def _document(self, reference: Reference, index: int, result: Result | None) -> Node:
        document = self._documents.get(index)
        if document is None:
            document = _document(result)
            if document is None:
                raise Unfillable(Reason.REFERENCE_UNRESOLVED, f"{reference}: {reference.name} has no JSON body")
            self._documents[index] = document
        return document

    def _parsed(self, parameters: bytes) -> Node:
        """Parameters, taken apart once for all operations that share them."""
        node = self._parameters.get(parameters)
        if node is None:
            node = self._parameters[parameters] = Node(parameters)
        return node

    def _find(self, reference: Reference, path: JsonPath, document: Node) -> list[Node]:
        try:
            found = self._find_keeping_places(path, document) if isinstance(document, _Items) else None
            if found is None:
                found = path.find(document, self._limits.value_visits)
        except (TooManyVisits, RecursionError) as error:
            raise self._too_costly(reference, error) from None
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
        found = [rest.find_one(child, self._limits.value_visits) for child in document.children()]
        return [_NULL if value is None else value for value in found]

    def _too_large(self, reference: Reference, size: int) -> Unfillable:
        detail = f"{reference} is {size} bytes long, {self._limits.value} are allowed"
        return Unfillable(Reason.REFERENCE_TOO_LARGE, detail)

    def _too_costly(self, reference: Reference, error: Exception) -> Unfillable:
        visits = isinstance(error, TooManyVisits)
        detail = f"{reference} looks at more than {self._limits.value_visits} values" if visits else f"{reference}: {TOO_DEEP}"
        return Unfillable(Reason.REFERENCE_TOO_LARGE, detail)


class _ForItem(Record, frozen=True):
    """The references of one forEach child."""

    lookup: Lookup
    item: Node
    index: int

    def resolve(self, reference: Reference) -> bytes:
        """The value of a reference, as JSON text."""
        if reference.name:
            return self.lookup.resolve(reference)
        if reference.path is not None:
            return self.lookup.value(reference, reference.path, self.item)
        if reference.source is Source.ITEM:
            return self.lookup.bounded(reference, self.item.text())
        return str(self.index).encode()


class _WithParameters(Record, frozen=True):
    """The references of one operation that has parameters."""

    lookup: Lookup
    parameters: Node
    otherwise: Resolve

    def resolve(self, reference: Reference) -> bytes:
        """The value of a reference, as JSON text."""
        if reference.name or not reference.is_parameter():
            return self.otherwise(reference)
        if reference.path is not None:
            return self.lookup.value(reference, reference.path, self.parameters)
        return self.lookup.bounded(reference, self.parameters.text())


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
