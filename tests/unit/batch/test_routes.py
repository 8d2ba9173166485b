"""Routes: the longest prefix, on whole segments, however a path is spelled."""

import pytest

from gateway.batch.routes import Route, RouteTable

ROOT, USERS, LOGIN, OTHER, ACCENT = (
    Route("a", "/"),
    Route("a", "/users"),
    Route("a", "/users/login", max_per_batch=1),
    Route("b", "/users"),
    Route("a", "/café/"),
)
TABLE = RouteTable((ROOT, USERS, LOGIN, OTHER, ACCENT))


@pytest.mark.parametrize(
    ("path", "routes"),
    [
        ("/", (ROOT,)),
        ("/usersx", (ROOT,)),
        ("/users", (USERS, OTHER)),
        ("/users/1/2", (USERS, OTHER)),
        ("/users/login", (LOGIN,)),
        ("/users/login/", (LOGIN,)),
        ("/users/%6Cogin", (LOGIN,)),
        ("/users/login;x=1", (LOGIN,)),
        ("/café/x", (ACCENT,)),
        ("/caf%c3%a9/x", (ACCENT,)),
    ],
)
def test_the_longest_prefix_leads(path: str, routes: tuple[Route, ...]) -> None:
    assert TABLE.look_up(path) == routes


def test_a_named_upstream_decides_between_equals() -> None:
    assert TABLE.look_up("/users/1", "b") == (OTHER,)
    assert TABLE.look_up("/other", "b") == ()
    assert RouteTable((USERS,)).look_up("/") == ()
