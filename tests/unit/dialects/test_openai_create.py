"""What `POST /batches` may ask for, and what the fields of an upload may say; each mistake with its param and code."""

import json
from typing import Any

import pytest

from gateway.batch.compile import Rules
from gateway.batch.limits import Limits
from gateway.batch.routes import Route, RouteTable
from gateway.dialects.openai_create import Creation, check_purpose, make_windows, read_creation, read_keep
from gateway.dialects.openai_errors import BadParameter
from gateway.dialects.openai_objects import Spec, dump_spec, load_spec
from gateway.errors import Refusal
from gateway.messages import Reason

ROUTES = RouteTable(
    (
        Route("models", "/v1/chat/completions", file_batches=True),
        Route("models", "/v1/models"),
        Route("read-only", "/v1/readings", methods=frozenset({"GET"}), file_batches=True),
        Route("one", "/v1/shared", file_batches=True),
        Route("two", "/v1/shared", file_batches=True),
    )
)
RULES = Rules(Limits())
WINDOWS = make_windows((86_400.0, 5400.0, 0.5))

GOOD = {"completion_window": "24h", "endpoint": "/v1/chat/completions", "input_file_id": "file-1"}


def read(**changes: Any) -> Creation:
    return read_creation(json.dumps(GOOD | changes).encode(), WINDOWS, ROUTES, RULES)


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in GOOD.items() if key != name}).encode()


def test_a_batch_is_read() -> None:
    assert read() == Creation("file-1", 86_400.0, Spec("/v1/chat/completions", "24h"))


def test_what_is_null_is_as_if_it_were_not_there() -> None:
    assert read(metadata=None, output_expires_after=None) == read()


def test_metadata_and_the_time_its_files_are_kept_are_read_and_come_back() -> None:
    metadata = {"k" * 64: "é" * 512, "": ""}
    found = read(metadata=metadata, output_expires_after={"anchor": "created_at", "seconds": 3600})
    assert found.spec == Spec("/v1/chat/completions", "24h", metadata, 3600.0)
    assert load_spec(dump_spec(found.spec)) == found.spec


@pytest.mark.parametrize(("window", "seconds"), [("24h", 86_400.0), ("90m", 5400.0), ("0.5s", 0.5)])
def test_windows_are_spelled_in_the_largest_unit_that_is_whole(window: str, seconds: float) -> None:
    assert read(completion_window=window).seconds == seconds


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_field_is_told_and_null_is_missing(name: str) -> None:
    for body in (without(name), json.dumps(GOOD | {name: None}).encode()):
        with pytest.raises(BadParameter) as caught:
            read_creation(body, WINDOWS, ROUTES, RULES)
        assert (caught.value.status, caught.value.param, caught.value.code) == (400, name, "missing_required_parameter")


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"completion_window": "25h"}, "completion_window", "invalid_value"),
        ({"completion_window": 24}, "completion_window", "invalid_type"),
        ({"endpoint": ["/v1/chat/completions"]}, "endpoint", "invalid_type"),
        ({"endpoint": "/v1/nowhere"}, "endpoint", "invalid_value"),
        ({"endpoint": "/v1/models"}, "endpoint", "invalid_value"),
        ({"endpoint": "/v1/readings"}, "endpoint", "invalid_value"),
        ({"endpoint": "/v1/shared"}, "endpoint", "invalid_value"),
        ({"endpoint": "v1/chat/completions"}, "endpoint", "invalid_value"),
        ({"endpoint": "http://elsewhere.example/v1/chat/completions"}, "endpoint", "invalid_value"),
        ({"endpoint": "/v1/chat/completions?x=1"}, "endpoint", "invalid_value"),
        ({"endpoint": "/v1/chat/completions/../models"}, "endpoint", "invalid_value"),
        ({"endpoint": "/v1/chat/completions/%2e%2e"}, "endpoint", "invalid_value"),
        ({"endpoint": "/v1/chat/completions/" + "x" * 9000}, "endpoint", "invalid_value"),
        ({"input_file_id": ""}, "input_file_id", "invalid_value"),
        ({"input_file_id": "f" * 300}, "input_file_id", "invalid_value"),
        ({"input_file_id": 7}, "input_file_id", "invalid_type"),
        ({"metadata": []}, "metadata", "invalid_type"),
        ({"metadata": {"a": 1}}, "metadata.a", "invalid_type"),
        ({"metadata": {"a": None}}, "metadata.a", "invalid_type"),
        ({"metadata": {"k" * 65: "v"}}, "metadata", "string_above_max_length"),
        ({"metadata": {"a": "v" * 513}}, "metadata.a", "string_above_max_length"),
        ({"metadata": {str(n): "v" for n in range(17)}}, "metadata", "object_above_max_properties"),
        ({"output_expires_after": 3600}, "output_expires_after", "invalid_type"),
        ({"output_expires_after": {"seconds": 3600}}, "output_expires_after.anchor", "missing_required_parameter"),
        ({"output_expires_after": {"anchor": "created_at"}}, "output_expires_after.seconds", "missing_required_parameter"),
        ({"output_expires_after": {"anchor": "now", "seconds": 3600}}, "output_expires_after.anchor", "invalid_value"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 3599}}, "output_expires_after.seconds", "invalid_value"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 3.7e3}}, "output_expires_after.seconds", "invalid_value"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": True}}, "output_expires_after.seconds", "invalid_value"),
        ({"priority": "high"}, "priority", "unknown_parameter"),
        ({"p" * 100_000: "high"}, "p" * 256, "unknown_parameter"),
    ],
    ids=lambda value: str(value)[-60:],
)
def test_each_mistake_has_its_param_and_code(changes: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(BadParameter) as caught:
        read(**changes)
    assert (caught.value.status, caught.value.param, caught.value.code) == (400, param, code)


def test_an_unusable_endpoint_is_told_which_there_are() -> None:
    with pytest.raises(BadParameter, match=r"Supported values are: '/v1/chat/completions', '/v1/shared'\."):
        read(endpoint="/v1/nowhere")


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":1e999}', b"\xff"])
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        read_creation(body, WINDOWS, ROUTES, RULES)
    assert caught.value.reason is Reason.MALFORMED_JSON


def test_a_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(BadParameter, match="must be an object, got a list"):
        read_creation(b" [] ", WINDOWS, ROUTES, RULES)


def test_a_file_is_kept_as_long_as_asked() -> None:
    assert read_keep(None, None) is None
    assert [read_keep("created_at", text) for text in ("3600", "2592000")] == [3600.0, 2_592_000.0]


@pytest.mark.parametrize(
    ("anchor", "seconds", "param"),
    [
        (None, "3600", "expires_after.anchor"),
        ("created_at", None, "expires_after.seconds"),
        ("last_active_at", "3600", "expires_after.anchor"),
        ("created_at", "3599", "expires_after.seconds"),
        ("created_at", "2592001", "expires_after.seconds"),
        ("created_at", "-3600", "expires_after.seconds"),
        ("created_at", "1e4", "expires_after.seconds"),
        ("created_at", "９９９９", "expires_after.seconds"),
    ],
)
def test_an_expiry_that_cannot_be_kept_is_refused(anchor: str | None, seconds: str | None, param: str) -> None:
    with pytest.raises(BadParameter) as caught:
        read_keep(anchor, seconds)
    assert caught.value.param == param


def test_a_file_of_requests_is_called_jsonl_unless_any_name_will_do() -> None:
    with pytest.raises(BadParameter, match=r"^Invalid file format for Batch API\. Must be \.jsonl$"):
        check_purpose("batch", "upload", any_filename=False)
    assert check_purpose("batch", "a.JSONL", any_filename=False) == "batch"
    assert check_purpose("batch", "upload", any_filename=True) == "batch"
    assert check_purpose("user_data", "picture.png", any_filename=False) == "user_data"


@pytest.mark.parametrize(
    ("purpose", "code"),
    [(None, "missing_required_parameter"), ("", "missing_required_parameter"), ("batch_output", "invalid_value")],
)
def test_a_purpose_that_no_upload_has_is_refused(purpose: str | None, code: str) -> None:
    with pytest.raises(BadParameter) as caught:
        check_purpose(purpose, "a.jsonl", any_filename=False)
    assert (caught.value.param, caught.value.code) == ("purpose", code)
