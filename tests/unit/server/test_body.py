import gzip
import zlib

import pytest

from gateway.errors import Refusal
from gateway.messages import Reason
from gateway.server.body import check_size, check_type, inflate, read_encoding

RAW_DEFLATE = zlib.compress(b"{}")[2:-4]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json ; version=1",
    ],
)
def test_json_in_utf8_is_taken(content_type: str) -> None:
    check_type(content_type)


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/json; charset=latin-1", ";"],
)
def test_any_other_content_type_is_415(content_type: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_type(content_type)
    assert (refused.value.status, refused.value.reason) == (415, Reason.UNSUPPORTED_MEDIA_TYPE)


@pytest.mark.parametrize(
    ("field", "encoding"), [("", ""), ("identity", ""), ("gzip", "gzip"), ("X-GZIP", "gzip"), (" deflate ", "deflate")]
)
def test_one_known_content_encoding_is_taken(field: str, encoding: str) -> None:
    assert read_encoding(field) == encoding


@pytest.mark.parametrize("field", ["br", "zstd", "gzip, gzip", "gzip, identity", "compress"])
def test_any_other_content_encoding_is_415_and_says_what_is_accepted(field: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_encoding(field)
    assert (refused.value.status, refused.value.headers) == (415, (("accept-encoding", "gzip, deflate"),))


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"{}", ""),
        (gzip.compress(b"{}", mtime=0), "gzip"),
        (zlib.compress(b"{}"), "deflate"),
        (RAW_DEFLATE, "deflate"),
    ],
)
def test_body_comes_out_of_its_encoding(body: bytes, encoding: str) -> None:
    assert inflate(body, encoding, 2) == b"{}"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"", "gzip"),
        (b"{}", "gzip"),
        (gzip.compress(b"{}", mtime=0)[:-1], "gzip"),
        (gzip.compress(b"{}", mtime=0) + b"x", "gzip"),
        (gzip.compress(b"{}", mtime=0) * 2, "gzip"),
        (zlib.compress(b"{}"), "gzip"),
        (b"", "deflate"),
        (zlib.compress(b"{}")[:-1], "deflate"),
        (b"\xff\xff\xff", "deflate"),
    ],
)
def test_what_is_not_in_its_encoding_is_400(body: bytes, encoding: str) -> None:
    with pytest.raises(Refusal) as refused:
        inflate(body, encoding, 100)
    assert (refused.value.status, refused.value.detail) == (400, f"the body is not valid {encoding}")


@pytest.mark.parametrize(("size", "passes"), [(9, True), (10, True), (11, False)])
def test_limit_holds_before_and_after_inflating(size: int, passes: bool) -> None:
    body = gzip.compress(b"x" * size)
    if passes:
        check_size(size, 10)
        assert len(inflate(body, "gzip", 10)) == size
        return
    with pytest.raises(Refusal) as plain:
        check_size(size, 10)
    with pytest.raises(Refusal) as inflated:
        inflate(body, "gzip", 10)
    assert (plain.value.status, inflated.value.status) == (413, 413)
