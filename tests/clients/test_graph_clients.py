"""Microsoft's clients for Graph, unchanged, talk to the gateway: the JavaScript one and the Python one."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.process import ROOT, Gateway, running_gateway
from tests.support.programs import find_program, install_packages, run_program
from tests.support.upstream import Answer, Arrival, ScriptedUpstream, respond, respond_json

FOLDER = Path(__file__).parent
PYTHON = ROOT / ".venv-clients" / "bin" / "python"

ANN = {"id": 42, "name": "Ann"}
PICTURE = bytes(range(256))

pytestmark = pytest.mark.asyncio(loop_scope="module")


def answer(arrival: Arrival) -> Answer:
    """A service that knows one user."""
    match arrival.method, arrival.target.partition("?")[0]:
        case "POST", "/users":
            return respond_json(ANN, 201, (("Location", "/users/42"),))
        case _, "/users/text":
            return respond(200, "grüß dich".encode(), (("Content-Type", "text/plain; charset=utf-8"),))
        case _, "/users/picture":
            return respond(200, PICTURE, (("Content-Type", "image/png"),))
        case _, "/users/problem":
            return respond(409, b'{"title":"taken"}', (("Content-Type", "application/problem+json"),))
        case _, "/users/missing":
            return respond(404)
        case "DELETE", _:
            return respond(204)
        case _:
            return respond_json(ANN)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream(answer) as upstream:
        yield upstream


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(upstream: ScriptedUpstream) -> AsyncIterator[Gateway]:
    config = {"upstreams": {"users": {"url": upstream.url, "routes": ["/users", "/notes"]}}}
    async with running_gateway(config) as gateway:
        yield gateway


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen_by_javascript(gateway: Gateway) -> dict[str, Any]:
    node = find_program("node", "nodejs")
    installed = await install_packages(FOLDER / "graph_js")
    seen: dict[str, Any] = json.loads(await run_program(node, FOLDER / "graph_js" / "drive.mjs", installed, gateway.url))
    return seen


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seen_by_python(gateway: Gateway, upstream: ScriptedUpstream) -> dict[str, Any]:
    if not PYTHON.exists():
        pytest.fail(".venv-clients is missing: make setup-clients", pytrace=False)
    seen: dict[str, Any] = json.loads(await run_program(PYTHON, FOLDER / "graph_python" / "drive.py", gateway.url))
    return seen


async def test_javascript_reads_bodies_of_every_kind(seen_by_javascript: dict[str, Any]) -> None:
    seen = seen_by_javascript["parallel"]
    assert seen["1"] == {"status": 200, "type": "application/json", "body": ANN}
    assert seen["2"] == {"status": 200, "type": "text/plain; charset=utf-8", "body": "grüß dich"}
    assert (seen["3"]["status"], seen["3"]["body"][:8]) == (200, "AAECAwQF")
    assert seen["4"] == {"status": 409, "type": "application/json", "body": {"title": "taken"}}
    assert seen["5"] == {"status": 204, "type": None, "body": ""}


async def test_javascript_runs_one_after_the_other_and_refers_to_what_was_created(
    seen_by_javascript: dict[str, Any], upstream: ScriptedUpstream
) -> None:
    assert [(name, one["status"]) for name, one in seen_by_javascript["serial"].items()] == [
        ("create", 201),
        ("note", 200),
        ("read", 200),
    ]
    notes = [json.loads(arrival.body) for arrival in upstream.arrivals if arrival.target == "/notes"]
    assert {"about": 42, "price": "$10"} in notes


async def test_javascript_is_told_of_a_failed_dependency(seen_by_javascript: dict[str, Any]) -> None:
    seen = seen_by_javascript["failed"]
    assert [seen["1"]["status"], seen["2"]["status"]] == [404, 424]
    assert seen["2"]["body"]["error"]["code"] == "dependencyFailed"


async def test_javascript_reads_a_refusal_as_its_own_error(seen_by_javascript: dict[str, Any]) -> None:
    refused = seen_by_javascript["refused"]
    assert (refused["status"], refused["code"]) == (400, "pathNotAllowed")
    assert refused["requestId"]
    assert refused["date"]


async def test_python_reads_json_and_headers(seen_by_python: dict[str, Any]) -> None:
    seen = seen_by_python["parallel"]
    assert (seen["1"]["status"], json.loads(seen["1"]["body"])) == (200, ANN)
    assert seen["1"]["headers"]["Content-Type"] == "application/json"
    assert (seen["2"]["status"], seen["2"]["body"]) == (200, "grüß dich")


async def test_python_runs_one_after_the_other_and_refers_to_what_was_created(
    seen_by_python: dict[str, Any], upstream: ScriptedUpstream
) -> None:
    assert [(name, one["status"]) for name, one in seen_by_python["serial"].items()] == [
        ("create", 201),
        ("note", 200),
        ("read", 200),
    ]
    assert json.loads(seen_by_python["serial"]["create"]["body"]) == ANN
    targets = [arrival.target for arrival in upstream.arrivals]
    assert "/users/42" in targets


async def test_python_sends_a_list(seen_by_python: dict[str, Any], upstream: ScriptedUpstream) -> None:
    assert seen_by_python["listed"]["1"]["status"] == 200
    assert b"[1, 2]" in [arrival.body for arrival in upstream.arrivals]


async def test_python_is_told_of_a_failed_dependency(seen_by_python: dict[str, Any]) -> None:
    seen = seen_by_python["failed"]
    assert [seen["1"]["status"], seen["2"]["status"]] == [404, 424]
    assert json.loads(seen["2"]["body"])["error"]["code"] == "dependencyFailed"
