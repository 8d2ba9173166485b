import pytest

from gateway.config.prefixes import read_prefix
from gateway.config.problems import Wrong


@pytest.mark.parametrize(
    ("written", "prefix"), [("/", "/"), ("/users", "/users"), ("/users/", "/users"), ("/a-b/c.d/~e:f@g", "/a-b/c.d/~e:f@g")]
)
def test_prefixes(written: str, prefix: str) -> None:
    assert read_prefix(written) == prefix


@pytest.mark.parametrize(
    ("written", "because", "meant"),
    [
        ("users", "must begin with /", "/users"),
        ("", "must begin with /", "/"),
        ("http://users/x", "must begin with /", ""),
        ("/users?x=1", "must be a path alone", ""),
        ("/users/*", "must be a plain prefix", "/users"),
        ("/users/{id}/orders", "must be a plain prefix", "/users"),
        ("/users/:id", "must be a plain prefix", "/users"),
        ("/a//b", "must not have empty segments", ""),
        ("/a/../b", "must not have the segments . or ..", ""),
        ("/a/.", "must not have the segments . or ..", ""),
        ("/a%2fb", "must be a path of letters", ""),
        ("/a;b", "must be a path of letters", ""),
        ("/a b", "must be a path of letters", ""),
        ("/ä", "must be a path of letters", ""),
    ],
)
def test_what_is_not_a_prefix(written: str, because: str, meant: str) -> None:
    with pytest.raises(Wrong) as refused:
        read_prefix(written)
    assert refused.value.message.startswith(because)
    assert refused.value.suggestion == meant
