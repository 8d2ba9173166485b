"""Urls of a Graph batch: what they may be, and that all spellings of one mean the same path."""

import pytest

from gateway.dialects.graph_url import BadUrl, Base

BASE = Base("/v1.0", "gateway.example:8080")


@pytest.mark.parametrize(
    "url",
    [
        "users/1?$top=2",
        "/users/1?$top=2",
        "v1.0/users/1?$top=2",
        "/v1.0/users/1?$top=2",
        "http://gateway.example:8080/v1.0/users/1?$top=2",
        "https://GATEWAY.example:8080/users/1?$top=2",
    ],
)
def test_every_spelling_means_one_path(url: str) -> None:
    assert BASE.read(url) == "/users/1?$top=2"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/v1.0", "/"),
        ("v1.0?x=1", "/?x=1"),
        ("/v1.0x/users", "/v1.0x/users"),
        ("/users?next=http://elsewhere.example/", "/users?next=http://elsewhere.example/"),
        ("http://gateway.example:8080", "/"),
        ("", "/"),
    ],
)
def test_the_prefix_is_whole_segments_and_a_host_is_only_in_front(url: str, path: str) -> None:
    assert BASE.read(url) == path


@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere.example/users",
        "http://gateway.example/users",
        "http://gateway.example:8080@elsewhere.example/users",
        "http://user@gateway.example:8080/users",
        "ftp://gateway.example:8080/users",
        "http:///users",
        "//gateway.example:8080/users",
    ],
)
def test_any_other_host_is_refused(url: str) -> None:
    with pytest.raises(BadUrl, match=r"below gateway\.example:8080/v1\.0"):
        BASE.read(url)


@pytest.mark.parametrize("url", ["mailto:users", "http:users", "http:/gateway.example:8080/users", "x-1.y+z:/users"])
def test_a_scheme_without_a_host_is_no_relative_url(url: str) -> None:
    with pytest.raises(BadUrl, match="a scheme and no host"):
        BASE.read(url)
    assert BASE.read(f"/{url}") == f"/{url}"


@pytest.mark.parametrize("url", ["users/a:b", "f(at=12:30)", "users?at=12:30", "$1:x", "1:x", ":x"])
def test_a_colon_elsewhere_is_part_of_a_path(url: str) -> None:
    assert BASE.read(url) == f"/{url}"


def test_without_a_host_every_absolute_url_is_refused() -> None:
    with pytest.raises(BadUrl, match="must be relative"):
        Base().read("http:///users")


def test_a_default_port_may_be_left_out() -> None:
    assert Base(host="gateway.example").read("https://gateway.example:443/users") == "/users"
    assert Base(host="gateway.example:80").read("http://gateway.example/users") == "/users"


def test_the_version_is_kept_where_it_is_asked_for() -> None:
    assert [Base("/v1.0", "", kept).extend("/users") for kept in (False, True)] == ["/users", "/v1.0/users"]
