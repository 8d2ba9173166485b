"""Pages of files and batches, as their clients ask for them."""

import pytest

from gateway.dialects.openai_errors import BadParameter
from gateway.dialects.openai_query import Listing, read_batch_listing, read_file_listing


def test_without_a_query_there_are_defaults() -> None:
    assert read_batch_listing("") == Listing(20, None)
    assert read_file_listing("") == Listing(10_000, None)


def test_everything_can_be_said() -> None:
    assert read_batch_listing("limit=100&after=batch_1") == Listing(100, "batch_1")
    assert read_file_listing("purpose=fine-tune&limit=1&order=asc&after=file-1") == Listing(1, "file-1", False, "fine-tune")


def test_what_is_not_known_says_nothing() -> None:
    assert read_batch_listing("color=blue&after=") == Listing(20, None)


@pytest.mark.parametrize(
    ("query", "param", "code"),
    [
        ("limit=0", "limit", "integer_below_min_value"),
        ("limit=-1", "limit", "integer_below_min_value"),
        ("limit=101", "limit", "integer_above_max_value"),
        ("limit=many", "limit", "invalid_type"),
        ("limit=1.5", "limit", "invalid_type"),
        ("limit=" + "9" * 5000, "limit", "invalid_type"),
        ("after=%ff", None, None),
    ],
)
def test_a_bad_page_is_refused(query: str, param: str | None, code: str | None) -> None:
    with pytest.raises(BadParameter) as caught:
        read_batch_listing(query)
    assert (caught.value.param, caught.value.code) == (param, code)


@pytest.mark.parametrize(
    ("query", "param"), [("order=up", "order"), ("limit=10001", "limit")], ids=["an order there is not", "too many files"]
)
def test_a_bad_page_of_files_is_refused(query: str, param: str) -> None:
    with pytest.raises(BadParameter) as caught:
        read_file_listing(query)
    assert caught.value.param == param
