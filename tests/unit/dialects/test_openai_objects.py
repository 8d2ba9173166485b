"""Files, batches and lists of them, with every field that OpenAI's have."""

from gateway.batch.job import Job, JobKind, LineProblem, State, StoredFile
from gateway.dialects.openai_objects import Spec, describe_batch, describe_deletion, describe_file, describe_list, dump_spec
from gateway.jsontext import change

CREATED = 1_700_000_000.9

JOB = Job(
    "batch_1",
    "ann",
    JobKind.OPENAI,
    State.VALIDATING,
    CREATED,
    CREATED + 86_400,
    dump_spec(Spec("/v1/chat/completions", "24h", {"team": "a"})),
    input_file="file-1",
)

VALIDATING = {
    "id": "batch_1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "model": None,
    "errors": None,
    "input_file_id": "file-1",
    "completion_window": "24h",
    "status": "validating",
    "output_file_id": None,
    "error_file_id": None,
    "created_at": 1_700_000_000,
    "in_progress_at": None,
    "expires_at": 1_700_086_400,
    "finalizing_at": None,
    "completed_at": None,
    "failed_at": None,
    "expired_at": None,
    "cancelling_at": None,
    "cancelled_at": None,
    "request_counts": {"total": 0, "completed": 0, "failed": 0},
    "usage": None,
    "metadata": {"team": "a"},
}


def test_a_batch_that_was_just_created_has_every_field() -> None:
    assert describe_batch(JOB) == VALIDATING


def test_a_batch_that_has_ended_tells_when_and_where() -> None:
    reached = {State.IN_PROGRESS: CREATED + 1, State.FINALIZING: CREATED + 2, State.COMPLETED: CREATED + 3}
    job = change(JOB, state=State.COMPLETED, reached=reached, lines=3, succeeded=2, failed=1, results="file-2", errors="file-3")
    assert describe_batch(job) == VALIDATING | {
        "status": "completed",
        "in_progress_at": 1_700_000_001,
        "finalizing_at": 1_700_000_002,
        "completed_at": 1_700_000_003,
        "output_file_id": "file-2",
        "error_file_id": "file-3",
        "request_counts": {"total": 3, "completed": 2, "failed": 1},
    }


def test_files_are_not_told_of_before_the_batch_has_ended() -> None:
    described = describe_batch(change(JOB, state=State.FINALIZING, results="file-2", errors="file-3"))
    assert (described["output_file_id"], described["error_file_id"]) == (None, None)


def test_a_batch_that_failed_tells_of_every_problem() -> None:
    problems = (LineProblem("invalid_json_line", "what", None, 3), LineProblem("empty_file", "that", "file_id"))
    assert describe_batch(change(JOB, state=State.FAILED, problems=problems))["errors"] == {
        "object": "list",
        "data": [
            {"code": "invalid_json_line", "message": "what", "param": None, "line": 3},
            {"code": "empty_file", "message": "that", "param": "file_id", "line": None},
        ],
    }


def test_a_file_has_every_field() -> None:
    file = StoredFile("file-1", "ann", "batch", "a.jsonl", 12, "files/file-1", CREATED, CREATED + 3600)
    assert describe_file(file) == {
        "id": "file-1",
        "object": "file",
        "bytes": 12,
        "created_at": 1_700_000_000,
        "expires_at": 1_700_003_600,
        "filename": "a.jsonl",
        "purpose": "batch",
        "status": "processed",
        "status_details": None,
    }
    assert describe_file(change(file, expires_at=None))["expires_at"] is None
    assert describe_deletion("file-1") == {"id": "file-1", "object": "file", "deleted": True}


def test_a_list_names_its_first_and_last() -> None:
    one, two = {"id": "a"}, {"id": "b"}
    assert describe_list([one, two], True) == {
        "object": "list",
        "data": [one, two],
        "first_id": "a",
        "last_id": "b",
        "has_more": True,
    }
    assert describe_list([], False) == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
