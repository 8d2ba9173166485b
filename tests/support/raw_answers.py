"""The raw answers in tests/corpus/http1, and what must become of each."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from gateway.messages import Failure, Outcome
from tests.support.feeding import LIMIT, Fed

FOLDER = Path(__file__).resolve().parents[1] / "corpus" / "http1"


class RawAnswer(NamedTuple):
    """One case: bytes, and the outcome of the request that they answer. The folder's README explains the fields."""

    name: str
    raw: bytes
    method: str = "GET"
    limit: int = LIMIT
    status: int = 0
    body: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    fields: int | None = None
    reason: str = ""
    closes: bool = False
    again: bool | Literal["either"] = False

    def judge(self, fed: Fed) -> None:
        """Compare what became of it with what must."""
        told = self.tell(fed.outcome)
        if self.reason:
            assert (told, fed.again) == (self.reason, False)
            return
        headers: object = self.headers if self.fields is None else self.fields
        again = fed.again if self.again == "either" else self.again
        assert (told, fed.again, fed.closes) == ((self.status, headers, self.body), again, self.closes)

    def tell(self, outcome: Outcome) -> object:
        """The part of an outcome that the table speaks of."""
        if isinstance(outcome, Failure):
            return str(outcome.reason)
        headers = outcome.headers if self.fields is None else len(outcome.headers)
        return (outcome.status, headers, outcome.body.decode("latin-1"))


def read_case(name: str, expected: dict[str, Any]) -> RawAnswer:
    """One line of the table. TypeError if it has a field that there is not."""
    headers = tuple((field, value) for field, value in expected.pop("headers", ()))
    return RawAnswer(name, (FOLDER / f"{name}.raw").read_bytes(), headers=headers, **expected)


def read_corpus() -> dict[str, RawAnswer]:
    """Every case by its name."""
    table = yaml.safe_load((FOLDER / "outcomes.yaml").read_text(encoding="utf-8"))
    return {str(name): read_case(str(name), expected) for name, expected in table.items()}
