"""Routes: the longest prefix, on whole segments, however a path is spelled."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.batch.limits import Limits
from gateway.batch.reference import Parts, Reference, Source
from gateway.batch.routes import Route, RouteTable
from gateway.batch.step import fixed_path
from gateway.batch.template import Unfillable, fill_target
from gateway.jsontext import dump

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


@pytest.mark.parametrize(
    ("path", "below"),
    [("/", True), ("/users", True), ("/users/", True), ("/us%65rs/", True), ("/users;x=1/", True),
     ("/usersx/", False), ("/users/login/", False), ("/users/1/", False), ("/other/", False), ("/caf%c3%a9/", False)],
)  # fmt: skip
def test_what_has_a_longer_prefix_below_it(path: str, below: bool) -> None:
    assert TABLE.has_below(path) is below


SEGMENTS = st.sampled_from(["a", "b", "c", "%61", "a;x=1", "é", "%c3%a9", "a.b"])
PREFIXES = st.lists(st.sampled_from(["a", "b", "c", "é", "a.b"]), max_size=3).map(lambda segments: "/" + "/".join(segments))
VALUES = st.sampled_from(["a", "b", "a/b", "..", "%61", ";", "/", "é", "?"]) | st.text(max_size=3)
ITEM = Reference(Source.ITEM)


@given(
    st.lists(PREFIXES, min_size=1, max_size=4, unique=True),
    st.lists(SEGMENTS, max_size=2),
    st.lists(st.sampled_from(["", "a", "b", "/", "/a", "/b/", ";", ITEM]), max_size=5),
    st.lists(VALUES, min_size=1, max_size=2),
)
@example(["/", "/a/b"], ["a"], [ITEM], ["b"])
def test_where_none_has_no_value_leads_to_another_route(
    prefixes: list[str], segments: list[str], rest: list[str | Reference], values: list[str]
) -> None:
    table = RouteTable(tuple(Route("u", prefix) for prefix in prefixes))
    target: Parts = ("/" + "".join(f"{segment}/" for segment in segments), *rest, ITEM)
    try:
        filled = fill_target(target, lambda _: dump(values if len(values) > 1 else values[0]), Limits())
    except Unfillable:
        return
    path = fixed_path(target)
    assert table.has_below(path) or table.look_up(filled) == table.look_up(path)
