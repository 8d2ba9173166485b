"""What a batch was told by upstreams, as records: with them it goes on after a crash as if there had been none.

Four kinds, each one line of JSON, in the order in which things happened:

    {"mark": M, "status": S, "headers": H, "queued": Q} and the body on the lines after it; or {"mark": M, "reason": R, …}
    {"intent": M}     a request that is not to be sent twice is about to be sent
    {"unsent": M}     it was not sent after all
    {"ended": P}      the top-level operation at P has ended, and is counted

A mark says which request: a digest of what is sent, and the how manyeth like it that is.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.batch.job import Part
from gateway.batch.routes import RouteTable
from gateway.jsontext import dump, load
from gateway.messages import Failure, Outcome, Reason, Request, Response

_BYTES = 16
_NOISE = frozenset({"traceparent"})


class Marks:
    """Marks the requests of one batch, in the order in which they are sent."""

    def __init__(self, routes: RouteTable) -> None:
        # What an upstream's configuration sets may be a token that is changed while the gateway is down.
        names: dict[str, frozenset[str]] = {}
        for route in routes.routes:
            names[route.upstream] = names.get(route.upstream, _NOISE) | {name for name, _ in route.policy.set}
        self._ignored = names
        self._seen: Counter[bytes] = Counter()

    def mark(self, request: Request) -> str:
        """The mark of the next request, 32 hex digits and its number among those like it."""
        ignored = self._ignored.get(request.upstream, _NOISE)
        fields = [field for field in request.headers if field[0] not in ignored]
        head = dump([request.upstream, request.method, request.target, fields, request.body is None])
        digest = hashlib.blake2b(head + (request.body or b""), digest_size=_BYTES).digest()
        self._seen[digest] += 1
        return f"{digest.hex()}-{self._seen[digest]}"


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of earlier attempts: outcomes by mark, marks about to be sent, positions counted; `size` in records."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    intents: frozenset[str] = frozenset()
    counted: frozenset[int] = frozenset()
    size: int = 0


def spell_outcome(mark: str, outcome: Outcome) -> bytes:
    """The record of what became of a request."""
    if isinstance(outcome, Response):
        head = dump({"mark": mark, "status": outcome.status, "headers": outcome.headers, "queued": outcome.queued})
        return b"%b\n%b\n" % (head, outcome.body)
    failure = {"mark": mark, "reason": outcome.reason.value, **outcome._asdict()}
    return dump(failure) + b"\n"


def spell_intent(mark: str) -> bytes:
    """The record of a request about to be sent."""
    return dump({"intent": mark}) + b"\n"


def spell_unsent(mark: str) -> bytes:
    """The record of a request that was not sent after all."""
    return dump({"unsent": mark}) + b"\n"


def spell_ended(position: int) -> bytes:
    """The record of a top-level operation that is counted."""
    return dump({"ended": position}) + b"\n"


def recall(parts: Iterable[tuple[Part, bytes]]) -> Past:
    """The past from the parts of a journal, each with its bytes."""
    outcomes: dict[str, Outcome] = {}
    intents: set[str] = set()
    counted: set[int] = set()
    size = 0
    for part, content in parts:
        start = 0
        for _, length in part.index:
            head, _, rest = content[start : start + length].partition(b"\n")
            start += length
            size += 1
            record = load(head)
            if "mark" in record:
                outcomes[record["mark"]] = _read_outcome(record, rest)
            elif "intent" in record:
                intents.add(record["intent"])
            elif "unsent" in record:
                intents.discard(record["unsent"])
            else:
                counted.add(record["ended"])
    return Past(outcomes, frozenset(intents), frozenset(counted), size)


def _read_outcome(record: Mapping[str, Any], rest: bytes) -> Outcome:
    if "status" in record:
        headers = tuple([(name, value) for name, value in record["headers"]])
        return Response(record["status"], headers, rest.removesuffix(b"\n"), record["queued"])
    return Failure(Reason(record["reason"]), record["detail"], record["queued"], record["maybe_processed"], record["cause"])
