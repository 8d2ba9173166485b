"""OpenAI's clients, unchanged, live through a batch at the gateway: the Python one, strict, and the JavaScript one."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.process import ROOT, Gateway, running_gateway
from tests.support.programs import find_program, install_packages, run_program
from tests.support.upstream import Answer, Arrival, ScriptedUpstream, respond_json

FOLDER = Path(__file__).parent
PYTHON = ROOT / ".venv-clients" / "bin" / "python"
ENDPOINT = "/v1/chat/completions"
FOUR_KEYS = {"message", "type", "param", "code"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


def answer(arrival: Arrival) -> Answer:
    """A model that repeats what it was asked, and is tired of every tenth question."""
    question: str = json.loads(arrival.body)["messages"][0]["content"]
    if question.endswith("9"):
        return respond_json({"error": {"message": "slow down"}}, 429)
    return respond_json({"object": "chat.completion", "choices": [{"message": {"content": question}}]})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    keys = {name: {"keys": [f"sha256:{hashlib.sha256(f'sk-{name}'.encode()).hexdigest()}"]} for name in ("ann", "bob")}
    async with ScriptedUpstream(answer) as upstream:
        config = {
            "upstreams": {"models": {"url": upstream.url, "routes": [{"path": ENDPOINT, "file_batches": True}]}},
            "clients": keys,
            "jobs": {"enabled": True, "data": str(tmp_path_factory.mktemp("openai") / "data")},
        }
        async with running_gateway(config) as gateway:
            yield gateway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen_by_python(gateway: Gateway) -> dict[str, Any]:
    if not PYTHON.exists():
        pytest.fail(".venv-clients is missing: make setup-clients", pytrace=False)
    seen: dict[str, Any] = json.loads(await run_program(PYTHON, FOLDER / "openai_python" / "drive.py", gateway.url))
    return seen


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen_by_javascript(gateway: Gateway, seen_by_python: dict[str, Any]) -> dict[str, Any]:
    """After the other, whose lists are shorter without it."""
    node = find_program("node", "nodejs")
    installed = await install_packages(FOLDER / "openai_js")
    seen: dict[str, Any] = json.loads(await run_program(node, FOLDER / "openai_js" / "drive.mjs", installed, gateway.url))
    return seen


def check_results(seen: dict[str, Any]) -> None:
    """Every tenth question went wrong, no other did, and each has one record."""
    assert seen["ended"]["status"] == "completed"
    assert seen["ended"]["request_counts"] == {"total": 30, "completed": 27, "failed": 3}
    answers = {one["custom_id"]: one["response"]["body"]["choices"][0]["message"]["content"] for one in seen["output"]}
    assert answers == {f"request-{number}": f"question {number}" for number in range(30) if number % 10 != 9}
    assert {one["custom_id"]: (one["response"]["status_code"], one["error"]) for one in seen["errors"]} == {
        f"request-{number}": (429, None) for number in (9, 19, 29)
    }


async def test_python_uploads_lists_reads_and_deletes(seen_by_python: dict[str, Any]) -> None:
    file = seen_by_python["file"]
    assert (file["filename"], file["purpose"], file["has_request_id"]) == ("requests.jsonl", "batch", True)
    assert file["expires_at"] - file["created_at"] == 3600
    assert (seen_by_python["same"], seen_by_python["retrieved"], seen_by_python["batch_files"]) == (True, True, True)
    assert (seen_by_python["picture"], seen_by_python["listed"]) == ("upload", ["upload", "requests.jsonl"])
    assert seen_by_python["deleted"] == {"id": None, "object": "file", "deleted": True}


async def test_python_lives_through_a_batch(seen_by_python: dict[str, Any]) -> None:
    created, ended = seen_by_python["created"], seen_by_python["ended"]
    assert (created["status"], created["metadata"], created["output_file_id"]) == ("validating", {"team": "a"}, None)
    assert created["expires_at"] - created["created_at"] == 86_400
    times = [ended[name] for name in ("created_at", "in_progress_at", "finalizing_at", "completed_at")]
    assert times == sorted(times)
    check_results(seen_by_python)


async def test_python_is_told_why_a_batch_failed(seen_by_python: dict[str, Any]) -> None:
    (problem,) = seen_by_python["failed"]["errors"]["data"]
    assert (problem["code"], problem["param"], problem["line"]) == ("invalid_request", "file_id", None)
    (problem,) = seen_by_python["invalid"]["data"]
    assert (problem["code"], problem["line"]) == ("invalid_json_line", 1)


async def test_python_pages_through_batches_without_repeats(seen_by_python: dict[str, Any]) -> None:
    assert seen_by_python["paged"] == [3, 3, True]


@pytest.mark.parametrize(
    ("name", "status", "param", "code"),
    [
        ("unnamed", 400, "file", None),
        ("too_late", 409, None, None),
        ("window", 400, "completion_window", "invalid_value"),
        ("gone", 404, None, None),
        ("other", 404, None, None),
        ("nobody", 401, None, "invalid_api_key"),
    ],
)
async def test_python_reads_a_refusal_as_its_own_error(
    seen_by_python: dict[str, Any], name: str, status: int, param: str | None, code: str | None
) -> None:
    refused = seen_by_python[name]
    assert (refused["status"], refused["error"]["param"], refused["error"]["code"]) == (status, param, code)
    assert set(refused["error"]) == FOUR_KEYS
    assert refused["request_id"]


async def test_clients_try_only_once_what_cannot_be_cancelled(
    gateway: Gateway, seen_by_python: dict[str, Any], seen_by_javascript: dict[str, Any]
) -> None:
    assert (seen_by_python["too_late"]["status"], seen_by_javascript["tooLate"]["status"]) == (409, 409)
    assert [event["status"] for event in gateway.events("batch")].count(409) == 2


async def test_javascript_lives_through_a_batch(seen_by_javascript: dict[str, Any]) -> None:
    seen = seen_by_javascript
    assert (seen["file"]["filename"], seen["same"], seen["deleted"]) == ("requests.jsonl", True, True)
    assert (seen["created"]["status"], seen["created"]["metadata"]) == ("validating", {"team": "b"})
    check_results(seen)
    assert seen["gone"]["status"] == 404


async def test_javascript_pages_through_files_without_repeats(seen_by_javascript: dict[str, Any]) -> None:
    count, distinct, has_own = seen_by_javascript["paged"]
    assert (count, has_own) == (distinct, True)
