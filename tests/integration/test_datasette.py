"""The gateway in front of datasette, a service nobody here wrote, over a real SQLite file."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.client import GatewayClient
from tests.support.process import Gateway, running_gateway
from tests.support.services import datasette, write_library


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Gateway]:
    write_library(tmp_path / "library.db")
    async with datasette(tmp_path / "library.db") as origin:
        config = {"upstreams": {"library": {"url": origin, "routes": ["/library", "/library.json"]}}}
        async with running_gateway(config) as gateway:
            yield gateway


async def test_lists_tables_then_fetches_the_rows_of_each(library: Gateway) -> None:
    batch: dict[str, Any] = {
        "requests": [
            {"name": "tables", "path": "/library.json", "select": "$.tables[*].name"},
            {
                "name": "rows",
                "forEach": "${result=tables:$.tables[*]}",
                "path": "/library/${item:$.name}.json?_shape=objects&_size=100",
                "select": "$.rows",
            },
        ]
    }
    async with GatewayClient(f"{library.url}/batch") as client:
        answer = await client.batch(batch)
    assert answer.status == 200
    tables, rows = answer.entries
    assert sorted(tables.body) == ["authors", "books", "loans"]
    fetched = {entry.path.partition(".json")[0]: entry.body for entry in rows.responses}
    assert [name.rpartition("/")[2] for name in fetched] == tables.body
    assert fetched["/library/loans"] == []
    assert {row["name"] for row in fetched["/library/authors"]} == {"Ursula K. Le Guin", "Stanisław Lem"}
    assert [row["price"] for row in sorted(fetched["/library/books"], key=lambda row: row["id"])] == [12.5, 9.99, 8]


async def test_a_value_of_one_row_finds_the_row_it_refers_to(library: Gateway) -> None:
    batch = {
        "requests": [
            {"name": "book", "path": "/library/books/2.json?_shape=objects"},
            {
                "name": "author",
                "path": "/library/authors/${result=book:$.rows[0].author}.json?_shape=objects",
                "select": "$.rows[0].name",
            },
            {"name": "missing", "path": "/library/authors/99.json"},
            {"name": "of-missing", "path": "/library/books/${result=missing:$.rows[0].id}.json"},
        ]
    }
    async with GatewayClient(f"{library.url}/batch") as client:
        answer = await client.batch(batch)
    assert answer.status == 207
    _, author, missing, of_missing = answer.entries
    assert author.body == "Stanisław Lem"
    assert (missing.status, missing.error) == (404, None)
    assert (of_missing.status, of_missing.reason) == (424, "dependency-failed")
    assert of_missing.error is not None
    assert of_missing.error["cause"] == "missing"
