"""Files and batches as OpenAI's objects. Times are whole seconds since 1970; a field without a value is null."""

from collections.abc import Sequence
from typing import Any

from gateway.batch.job import Job, LineProblem, State, StoredFile
from gateway.jsontext import Record, dump, load

RESULTS_PURPOSE = "batch_output"
"""The purpose of the files that a batch makes."""

_TIMES = (
    State.IN_PROGRESS,
    State.FINALIZING,
    State.COMPLETED,
    State.FAILED,
    State.EXPIRED,
    State.CANCELLING,
    State.CANCELLED,
)


class Spec(Record, frozen=True):
    """What a batch was asked for, beside its lines. `keep` is how many seconds its files are kept, if it says so."""

    endpoint: str
    window: str
    metadata: dict[str, str] | None = None
    keep: float | None = None


def dump_spec(spec: Spec) -> bytes:
    """JSON text, to be kept with the job."""
    return dump([spec.endpoint, spec.window, spec.metadata, spec.keep])


def load_spec(text: bytes) -> Spec:
    """It again. It is ours, so nothing is checked."""
    endpoint, window, metadata, keep = load(text)
    return Spec(endpoint, window, metadata, keep)


def describe_file(file: StoredFile) -> dict[str, Any]:
    """A file's object."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.size,
        "created_at": int(file.created_at),
        "expires_at": None if file.expires_at is None else int(file.expires_at),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def describe_deletion(file_id: str) -> dict[str, Any]:
    """What is said of a file that is gone."""
    return {"id": file_id, "object": "file", "deleted": True}


def describe_batch(job: Job) -> dict[str, Any]:
    """A batch's object. The ids of its result files are there from when it has ended, and never before the files."""
    spec = load_spec(job.spec)
    described: dict[str, Any] = {
        "id": job.id,
        "object": "batch",
        "endpoint": spec.endpoint,
        "model": None,
        "errors": _describe_problems(job.problems),
        "input_file_id": job.input_file,
        "completion_window": spec.window,
        "status": job.state.value,
        "output_file_id": job.results if job.is_final else None,
        "error_file_id": job.errors if job.is_final else None,
        "created_at": int(job.created_at),
        "expires_at": int(job.expires_at),
    }
    for state in _TIMES:
        reached = job.reached.get(state)
        described[f"{state.value}_at"] = None if reached is None else int(reached)
    described["request_counts"] = {"total": job.lines, "completed": job.succeeded, "failed": job.failed}
    described["usage"] = None
    described["metadata"] = spec.metadata
    return described


def describe_list(objects: Sequence[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    """A page of objects."""
    return {
        "object": "list",
        "data": list(objects),
        "first_id": objects[0]["id"] if objects else None,
        "last_id": objects[-1]["id"] if objects else None,
        "has_more": has_more,
    }


def _describe_problems(problems: tuple[LineProblem, ...]) -> dict[str, Any] | None:
    if not problems:
        return None
    return {
        "object": "list",
        "data": [{"code": one.code, "message": one.message, "param": one.param, "line": one.line} for one in problems],
    }
