"""Every golden case of every dialect: the bytes of a batch in, scripted upstreams, the bytes of its answer out."""

from pathlib import Path

import pytest

from gateway.dialects.dialect import Asked
from gateway.dialects.registry import DIALECTS
from gateway.errors import Refusal
from gateway.pipeline import answer
from tests.support.collector import make_collector
from tests.support.corpus import compare, make_context, make_engine, make_send, read_case, read_numbers_as_text
from tests.support.graph import make_graph

CORPUS = Path(__file__).resolve().parents[1] / "corpus"

PATHS = {"native": "/batch", "agendize": "/api/2.3/batch"}
SPOKEN = {folder: DIALECTS[path] for folder, path in PATHS.items()} | {"collector": make_collector(), "graph": make_graph()}

FOLDERS = sorted(path.parent for path in CORPUS.glob("*/*/request.json"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
async def test_golden_case(folder: Path) -> None:
    case = read_case(folder)
    dialect = SPOKEN[folder.parent.name]
    context = make_context(case.setup)
    upstream = make_send(case.setup)
    try:
        answered = await answer(
            Asked(case.envelope, case.setup.get("query", "")), dialect, context, make_engine(case.setup, upstream)
        )
        status, headers, body = answered.status, answered.headers, answered.body
    except Refusal as refusal:
        status, headers, body = dialect.refuse(refusal, context.request_id)
    got = {
        "status": status,
        "headers": {name: value for name, value in headers if name in case.expected.get("headers", {})},
        "body": read_numbers_as_text(body),
    }
    expected = {
        "status": int(case.expected["status"].text),
        "headers": case.expected.get("headers", {}),
        "body": case.expected["body"],
    }
    wrong = [*upstream.list_complaints(), *compare(expected, got)]
    assert not wrong, "\n".join([case.expected["shows"], *wrong])


def test_each_dialect_has_a_corpus() -> None:
    assert {folder.parent.name for folder in FOLDERS} == set(SPOKEN)
    assert set(PATHS.values()) == set(DIALECTS)
