"""The places of OpenAI's API: what each takes of a request, and the function that answers it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from gateway.dialects.dialect import Asked, Encoded
from gateway.dialects.openai_errors import encode_openai_refusal
from gateway.errors import Refusal
from gateway.jsontext import dump
from gateway.messages import Context, Headers, Reason
from gateway.pipeline import Answer
from gateway.places.place import Takes

Act = Callable[[Asked, Context], Awaitable[Answer]]
"""Answers a request, or raises a Refusal."""

_JSON: Headers = (("content-type", "application/json"),)


@dataclass(frozen=True, slots=True)
class OpenAICall:
    """A call whose body says nothing: clients send `content-type: application/json` with no JSON after it."""

    takes: ClassVar[Takes] = Takes.NOTHING
    act: Act
    dialect: str = "openai"

    async def serve(self, asked: Asked, context: Context) -> Answer:
        """What the function answers."""
        return await self.act(asked, context)

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:  # noqa: ARG002  # x-request-id tells it
        """OpenAI's error object."""
        return encode_openai_refusal(refusal)


@dataclass(frozen=True, slots=True)
class OpenAIPost:
    """A call with a JSON body."""

    takes: ClassVar[Takes] = Takes.JSON
    act: Act
    dialect: str = "openai"

    async def serve(self, asked: Asked, context: Context) -> Answer:
        """What the function answers."""
        return await self.act(asked, context)

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:  # noqa: ARG002  # x-request-id tells it
        """OpenAI's error object."""
        return encode_openai_refusal(refusal)


@dataclass(frozen=True, slots=True)
class OpenAIUpload:
    """A call whose body is read piece by piece; it has at most `longest` bytes."""

    takes: ClassVar[Takes] = Takes.STREAM
    act: Act
    longest: int
    dialect: str = "openai"

    async def serve(self, asked: Asked, context: Context) -> Answer:
        """What the function answers."""
        return await self.act(asked, context)

    def refuse(self, refusal: Refusal, request_id: str) -> Encoded:  # noqa: ARG002  # x-request-id tells it
        """OpenAI's error object."""
        return encode_openai_refusal(refusal)


def answer_json(value: dict[str, Any]) -> Answer:
    """200 with this object."""
    return Answer(200, _JSON, dump(value))


def check_site(asked: Asked, context: Context) -> None:
    """Refuse what a web page of another site sends: 403.

    Browsers ask nobody before they send a form or an empty POST (Fetch section 4.10), and where no key is needed that is all
    it takes. The host is what a trusted proxy or else the request itself says it is.
    """
    site = asked.headers.get("sec-fetch-site", "none")
    origin = asked.headers.get("origin")
    host = next((value for name, value in context.identity if name == "x-forwarded-host"), "")
    is_foreign = origin is not None and origin.partition("://")[2].lower() != host.lower()
    if site not in ("none", "same-origin") or is_foreign:
        refusal = Refusal(Reason.HEADER_NOT_ALLOWED, "a web page of another site may not send this: see its Origin")
        refusal.status = 403
        raise refusal
