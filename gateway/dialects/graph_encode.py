"""The Graph answer: `{"responses": [{"id", "status", "headers", "body"}]}`, in the order asked, and Graph's error object."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from gateway.batch.assembly import Entry
from gateway.batch.content import JSON, Content, Kind, is_json_type
from gateway.batch.results import Finished
from gateway.dialects.dialect import Encoded
from gateway.dialects.graph_shapes import GraphAnswer, GraphResponse
from gateway.errors import Problem, Refusal, status_of
from gateway.jsontext import UNSET, Given, Raw, Record, dump, dump_record
from gateway.messages import Failure, Headers, Reason, Response

_JSON_TYPE = Raw(b'{"Content-Type":"application/json"}')
_SPELLED_AS = {"path": "url", "name": "id"}
"""The last part of a pointer into a request -> as clients of Graph know the field."""


class Occasion(Record, frozen=True):
    """What an error tells of the request to the gateway: its id, and when it came, in seconds since 1970."""

    request_id: str
    now: float


def encode_answer(entries: tuple[Entry, ...], finished: Finished, occasion: Occasion) -> Encoded:
    """The whole answer, always 200."""
    answer = GraphAnswer(_Spelling(occasion).spell(entries))
    headers: Headers = (
        ("content-type", "application/json"),
        ("batch-operations", str(finished.operations)),
        ("batch-failed", str(finished.failed)),
    )
    return Encoded(200, headers, dump_record(answer))


def encode_graph_refusal(refusal: Refusal, occasion: Occasion) -> Encoded:
    """A refusal as Graph's error, every problem in `details` with the JSON Pointer of what it is about as `target`.

    What is wrong with a batch is 400 there, and 501 where it asks for what is not done here.
    """
    details = [_detail(problem) for problem in refusal.problems]
    status = 400 if refusal.status == 422 else refusal.status
    if any(problem.reason is Reason.NOT_SUPPORTED for problem in refusal.problems):
        status = 501
    error = _error(refusal.reason, refusal.detail, occasion, details)
    return Encoded(status, (("content-type", "application/json"), *refusal.headers), dump(error))


class _Spelling:
    """Spells the entries of one answer."""

    __slots__ = ("_headers", "_occasion")

    def __init__(self, occasion: Occasion) -> None:
        self._occasion = occasion
        self._headers: dict[int, Raw] = {}

    def spell(self, entries: tuple[Entry, ...]) -> list[GraphResponse]:
        spelled = []
        for entry in entries:
            result, content = entry.result, entry.content
            name, outcome = result.operation.name or "", result.outcome
            if not isinstance(outcome, Response):
                spelled.append(self._failed(name, outcome))
                continue
            status, fields, _, _ = outcome
            headers: Given[Raw] = UNSET
            if fields:
                headers = self._headers.get(id(fields)) or self._spell_headers(fields)
            body: Given[Raw | str | bytes] = UNSET
            if content is not None:
                body = Raw(content.body) if content.kind is JSON else _other_body(content, fields)
            spelled.append(GraphResponse(name, status, headers, body))
        return spelled

    def _failed(self, name: str, failure: Failure) -> GraphResponse:
        body = Raw(dump(_error(failure.reason, failure.detail, self._occasion)))
        return GraphResponse(name, status_of(failure.reason), _JSON_TYPE, body)

    def _spell_headers(self, headers: Headers) -> Raw:
        """Header fields as an object, lines of one name joined. Answers with the same head share one tuple of fields."""
        joined: dict[str, str] = {}
        for lower, value in headers:
            name = _spell_name(lower)
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        content_type = joined.get("Content-Type", "")
        # Of a body that stands here as JSON the JavaScript client makes text only if it has exactly that type.
        if is_json_type(content_type) and not content_type.lower().startswith("application/json"):
            joined["Content-Type"] = "application/json"
        spelled = self._headers[id(headers)] = Raw(dump(joined))
        return spelled


@lru_cache(maxsize=256)
def _spell_name(lower: str) -> str:
    """As Graph does: its clients look for `Content-Type`, and some of them for nothing else."""
    return "-".join([word.capitalize() for word in lower.split("-")])


def _other_body(content: Content, fields: Headers) -> Given[Raw | str | bytes]:
    """A body that is not JSON: text/* as a string (and what only said it was JSON), the rest as bytes, nothing not at all."""
    if content.kind is Kind.EMPTY:
        return UNSET
    if content.kind is Kind.TEXT and (content.warning is not None or _is_text(fields)):
        return content.text
    return content.body


def _is_text(fields: Headers) -> bool:
    return any(name == "content-type" and value.strip().lower().startswith("text/") for name, value in fields)


def _error(reason: Reason, message: str, occasion: Occasion, details: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """`date` is UTC to the second without a zone, which is how Graph writes it."""
    date = datetime.fromtimestamp(occasion.now, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    error: dict[str, Any] = {"code": _code(reason), "message": message}
    if details:
        error["details"] = details
    return {"error": error | {"innerError": {"request-id": occasion.request_id, "date": date}}}


def _code(reason: Reason) -> str:
    """The reason as Graph writes codes: `dependency-failed` is dependencyFailed."""
    first, *words = reason.value.split("-")
    return first + "".join([word.capitalize() for word in words])


def _detail(problem: Problem) -> dict[str, str]:
    above, _, field = problem.pointer.rpartition("/")
    if above.count("/") == 2 and above.startswith("/requests/"):
        field = _SPELLED_AS.get(field, field)
    return {
        "code": _code(problem.reason),
        "message": problem.detail,
        "target": f"{above}/{field}" if above else problem.pointer,
    }
