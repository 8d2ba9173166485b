"""OpenAI's error object, which always has the same four keys, and what tells its clients not to try again."""

from gateway.dialects.dialect import Encoded
from gateway.errors import Refusal
from gateway.jsontext import dump
from gateway.messages import Headers, Reason

_JSON: Headers = (("content-type", "application/json"),)

_FINAL = frozenset(
    {
        Reason.CONFLICT,
        Reason.QUOTA_EXCEEDED,
        Reason.STORAGE_FULL,
        Reason.NOT_SUPPORTED,
        Reason.UNSUPPORTED_VERSION,
        Reason.LOOP_DETECTED,
        Reason.ANSWER_TOO_LARGE,
    }
)
"""Trying again changes nothing. Unless they are told, OpenAI's clients send anything again after 408, 409, 429 and 5xx."""

_CODES: dict[Reason, str | None] = {
    Reason.UNAUTHORIZED: "invalid_api_key",
    Reason.QUOTA_EXCEEDED: "insufficient_quota",
    Reason.NOT_FOUND: None,
    Reason.CONFLICT: None,
}
"""Codes that OpenAI has. Any other reason is its own."""


class BadParameter(Refusal):
    """A parameter is refused, 400. `param` and `code` are the error's."""

    def __init__(self, detail: str, param: str | None, code: str | None) -> None:
        super().__init__(Reason.INVALID_PARAMETER, detail)
        self.status = 400
        self.param = param
        self.code = code


def missing(param: str) -> BadParameter:
    """What to raise for a parameter that must be there."""
    return BadParameter(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def spell_code(reason: Reason) -> str:
    """A reason as OpenAI writes codes: `upstream-timeout` is upstream_timeout."""
    return reason.value.replace("-", "_")


def encode_openai_refusal(refusal: Refusal) -> Encoded:
    """A refusal as OpenAI's error. What is wrong with a request is 400 there, where it is 422 elsewhere."""
    reason = refusal.reason
    status = 400 if refusal.status == 422 else refusal.status
    if isinstance(refusal, BadParameter):
        param, code = refusal.param, refusal.code
    else:
        param, code = None, _CODES.get(reason, spell_code(reason))
    error = {"message": refusal.detail, "type": _type(reason, status), "param": param, "code": code}
    headers = (*_JSON, *refusal.headers)
    if reason in _FINAL:
        headers = (*headers, ("x-should-retry", "false"))
    return Encoded(status, headers, dump({"error": error}))


def _type(reason: Reason, status: int) -> str:
    if reason is Reason.QUOTA_EXCEEDED:
        return "insufficient_quota"
    return "invalid_request_error" if status < 500 else "server_error"
