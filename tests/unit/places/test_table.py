"""Paths with and without holes."""

from typing import ClassVar

import pytest

from gateway.dialects.dialect import Asked, Encoded
from gateway.errors import Refusal
from gateway.messages import Context
from gateway.pipeline import Answer
from gateway.places.place import Takes
from gateway.places.table import PlaceTable


class Named:
    """A place that is only told from others."""

    takes: ClassVar[Takes] = Takes.NOTHING
    dialect = "native"

    async def serve(self, asked: Asked, context: Context) -> Answer:
        raise AssertionError("nobody is served here")

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:
        raise AssertionError("nobody is refused here")


FILES, FILE, CONTENT, SPECIAL = Named(), Named(), Named(), Named()
TABLE = PlaceTable(
    {
        "/v1/files": {"GET": FILES},
        "/v1/files/{id}": {"GET": FILE, "DELETE": FILE},
        "/v1/files/{id}/content": {"GET": CONTENT},
        "/v1/files/special": {"GET": SPECIAL},
    }
)


@pytest.mark.parametrize(
    ("path", "route", "captured", "place"),
    [
        ("/v1/files", "/v1/files", (), FILES),
        ("/v1/files/a", "/v1/files/{id}", ("a",), FILE),
        ("/v1/files/a/content", "/v1/files/{id}/content", ("a",), CONTENT),
        ("/v1/files/content", "/v1/files/{id}", ("content",), FILE),
        ("/v1/files/%2e%2e", "/v1/files/{id}", ("%2e%2e",), FILE),
        ("/v1/files/special", "/v1/files/special", (), SPECIAL),
    ],
)
def test_a_path_leads_to_its_place_and_says_what_fills_the_holes(
    path: str, route: str, captured: tuple[str, ...], place: Named
) -> None:
    found = TABLE.find(path)
    assert found is not None
    assert (found.route, found.captured, found.methods["GET"]) == (route, captured, place)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/files/", "/v1/files/a/", "/v1/files//content", "/v1/files/a/b", "/v2/files"])
def test_other_paths_lead_nowhere(path: str) -> None:
    assert TABLE.find(path) is None
