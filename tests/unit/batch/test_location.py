"""Where an answer says that what was created is to be found."""

import pytest

from gateway.batch.content import EMPTY
from gateway.batch.location import Elsewhere, read_created
from gateway.batch.operation import Operation
from gateway.batch.results import Result
from gateway.messages import Response


def created(target: str, location: str | None) -> Result:
    headers = () if location is None else (("location", location),)
    return Result(Operation("/requests/0", target, (target,)), "users", Response(201, headers, b""), EMPTY, target)


@pytest.mark.parametrize(
    ("target", "location", "segment"),
    [
        ("/users", "/users/42", "42"),
        ("/users?x=1", "/users/42/", "42"),
        ("/users", "http://other.example:8080/users/42?x=1", "42"),
        ("/users", "/v1.0/users/a%20b%2Fc", "a b/c"),
        ("/users/", "42", "42"),
        ("/users", "users/42", "42"),
        ("/users", None, None),
    ],
)
def test_the_last_segment_of_a_location(target: str, location: str | None, segment: str | None) -> None:
    assert read_created(created(target, location)) == segment


@pytest.mark.parametrize("location", ["/people/42", "/users", "/users/42/orders", "", "//[", "/users/"])
def test_a_location_that_is_not_one_segment_below_leads_elsewhere(location: str) -> None:
    with pytest.raises(Elsewhere):
        read_created(created("/users", location))
