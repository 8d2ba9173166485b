"""Records as rows of the tables, and rows as records."""

from collections.abc import Mapping
from enum import Enum
from itertools import chain
from types import MappingProxyType
from typing import Any

from sqlalchemy import RowMapping

from gateway.batch.job import (
    Chunk,
    Delivery,
    Ending,
    Job,
    JobKind,
    LineProblem,
    OnInterrupt,
    Part,
    Series,
    State,
    StoredFile,
)
from gateway.jsontext import dump, load

COUNTS = frozenset({"succeeded", "failed"})
"""Fields of a job that are sums over its chunks."""

_ORDINAL = 32
"""Characters: the hex digits of a UUID, which end every id."""


def find_ordinal(job_id: str) -> str:
    """What jobs are sorted by."""
    return job_id[-_ORDINAL:]


def fields_of(record: StoredFile | Job | Chunk | Delivery) -> dict[str, Any]:
    """The record's fields as they stand in a row, those of them that do."""
    names = [name for name in record.__struct_fields__ if name not in COUNTS]
    return spell({name: getattr(record, name) for name in names})


def spell(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Some fields of a record as they stand in a row."""
    return {name: _spell(name, value) for name, value in fields.items()}


def _spell(name: str, value: Any) -> Any:
    if name == "problems":
        return dump([(problem.code, problem.message, problem.param, problem.line) for problem in value]).decode()
    if name == "reached":
        return dump({state.value: when for state, when in value.items()}).decode()
    return value.value if isinstance(value, Enum) else value


def row_of_job(job: Job) -> dict[str, Any]:
    """A new job's row."""
    return {**fields_of(job), "ordinal": find_ordinal(job.id)}


def row_of_chunk(chunk: Chunk) -> dict[str, Any]:
    """A new chunk's row."""
    return {**fields_of(chunk), "closed": False, "succeeded": 0, "failed": 0, "touched_at": 0.0}


def values_of_part(part: Part) -> dict[str, Any]:
    """What a new part's row has beside its chunk and its place there, as parameters of hot.ADD_PART."""
    index = dump(list(chain.from_iterable(part.index))).decode()
    return {"p_series": part.series.value, "p_key": part.key, "p_index": index}


def read_file(row: RowMapping) -> StoredFile:
    """A row of `files`."""
    return StoredFile(**row)


def read_job(row: RowMapping) -> Job:
    """A row of `jobs`, with counts or without, and whatever was asked for beside it."""
    fields = {name: row[name] for name in Job.__struct_fields__ if name in row}
    problems = load(fields.pop("problems").encode())
    reached = load(fields.pop("reached").encode())
    ending = fields.pop("ending")
    return Job(
        kind=JobKind(fields.pop("kind")),
        state=State(fields.pop("state")),
        on_interrupt=OnInterrupt(fields.pop("on_interrupt")),
        ending=None if ending is None else Ending(ending),
        problems=tuple([LineProblem(*problem) for problem in problems]),
        reached=MappingProxyType({State(state): float(when) for state, when in reached.items()}),
        **fields,
    )


def read_chunk(row: RowMapping) -> Chunk:
    """A row of `chunks`."""
    return Chunk(**{name: row[name] for name in Chunk.__struct_fields__})


def read_part(row: RowMapping) -> Part:
    """A row of `parts`."""
    numbers = iter(load(row["index"].encode()))
    index = tuple(zip(numbers, numbers, strict=True))
    return Part(row["job"], row["chunk"], Series(row["series"]), row["key"], index)


def read_delivery(row: RowMapping) -> Delivery:
    """A row of `deliveries`."""
    return Delivery(**row)
