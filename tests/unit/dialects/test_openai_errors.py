"""OpenAI's error object: four keys for every refusal there is, and no second try where that changes nothing."""

import json
from typing import Any

import pytest

from gateway.dialects.dialect import Encoded
from gateway.dialects.openai_errors import BadParameter, encode_openai_refusal, missing
from gateway.errors import Refusal
from gateway.messages import Reason


def error_of(encoded: Encoded) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encoded.body)
    assert list(found) == ["error"]
    error: dict[str, Any] = found["error"]
    return error


@pytest.mark.parametrize("reason", Reason)
def test_every_refusal_has_the_four_keys(reason: Reason) -> None:
    encoded = encode_openai_refusal(Refusal(reason, "why"))
    error = error_of(encoded)
    assert list(error) == ["message", "type", "param", "code"]
    assert error["message"] == "why"
    assert error["type"] in ("invalid_request_error", "insufficient_quota", "server_error")
    assert encoded.status != 422
    assert dict(encoded.headers)["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("reason", "status", "kind", "code", "retry"),
    [
        (Reason.UNAUTHORIZED, 401, "invalid_request_error", "invalid_api_key", None),
        (Reason.NOT_FOUND, 404, "invalid_request_error", None, None),
        (Reason.CONFLICT, 409, "invalid_request_error", None, "false"),
        (Reason.QUOTA_EXCEEDED, 429, "insufficient_quota", "insufficient_quota", "false"),
        (Reason.STORAGE_FULL, 507, "server_error", "storage_full", "false"),
        (Reason.STORAGE_FAILED, 503, "server_error", "storage_failed", None),
        (Reason.PAYLOAD_TOO_LARGE, 413, "invalid_request_error", "payload_too_large", None),
        (Reason.INVALID_BODY, 400, "invalid_request_error", "invalid_body", None),
    ],
)
def test_reasons_as_openai_tells_them(reason: Reason, status: int, kind: str, code: str | None, retry: str | None) -> None:
    encoded = encode_openai_refusal(Refusal(reason, "why"))
    error = error_of(encoded)
    assert (encoded.status, error["type"], error["code"]) == (status, kind, code)
    assert dict(encoded.headers).get("x-should-retry") == retry


def test_a_parameter_is_named() -> None:
    encoded = encode_openai_refusal(BadParameter("no", "metadata.a", "invalid_type"))
    assert encoded.status == 400
    assert error_of(encoded) == {
        "message": "no",
        "type": "invalid_request_error",
        "param": "metadata.a",
        "code": "invalid_type",
    }
    assert error_of(encode_openai_refusal(missing("endpoint")))["message"] == "Missing required parameter: 'endpoint'."


def test_what_a_refusal_carries_goes_along() -> None:
    refusal = Refusal(Reason.UNAUTHORIZED, "who?", headers=(("www-authenticate", "Bearer"),))
    assert ("www-authenticate", "Bearer") in encode_openai_refusal(refusal).headers
