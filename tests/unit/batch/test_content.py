"""What a body is."""

import pytest

from gateway.batch.content import EMPTY, Content, Kind, header, read_content
from gateway.messages import Reason, Response


@pytest.mark.parametrize(
    ("content_type", "body", "content"),
    [
        ("application/json", b"", EMPTY),
        ("application/json", b' {"a": 1.0}\n', Content(Kind.JSON, b' {"a": 1.0}\n')),
        ("application/problem+JSON; charset=utf-8", b"{}", Content(Kind.JSON, b"{}")),
        ("application/json", b"{", Content(Kind.TEXT, b"{", "{", Reason.UPSTREAM_INVALID_JSON)),
        ("application/json", b'"\xff"', Content(Kind.BYTES, b'"\xff"', warning=Reason.UPSTREAM_INVALID_JSON)),
        ("text/plain", b"{}", Content(Kind.TEXT, b"{}", "{}")),
        ("text/plain; charset=latin-1", b"\xe9", Content(Kind.TEXT, b"\xe9", "é")),
        ("text/plain; charset=utf-8", b"\xe9", Content(Kind.BYTES, b"\xe9")),
        ("text/plain; charset=rot13", b"a", Content(Kind.BYTES, b"a")),
        ("text/plain; charset=idna", b"a", Content(Kind.BYTES, b"a")),
        ("text/plain; charset=\x00", b"a", Content(Kind.BYTES, b"a")),
        ("image/svg+xml", b"<svg/>", Content(Kind.TEXT, b"<svg/>", "<svg/>")),
        ("image/png", b"\x89PNG", Content(Kind.BYTES, b"\x89PNG")),
        ("", b"{}", Content(Kind.BYTES, b"{}")),
    ],
)
def test_the_content_type_decides(content_type: str, body: bytes, content: Content) -> None:
    assert read_content(Response(200, (("content-type", content_type),), body)) == content


def test_lines_of_one_header_are_joined() -> None:
    headers = (("vary", "a"), ("etag", "1"), ("vary", "b"))
    assert (header(headers, "vary"), header(headers, "age")) == ("a, b", None)
