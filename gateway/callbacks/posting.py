"""Posts one callback, signed as Standard Webhooks 1.0 says, and says what came of it.

The receiver may be anything: its redirects are not followed, its cookies not kept, its answer is read for 64 KiB and thrown
away, and no attempt takes longer than the configuration says.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from standardwebhooks import Webhook
from yarl import URL

from gateway import __version__
from gateway.callbacks.guard import Guard
from gateway.config.jobs import CallbackSettings, ClientSettings
from gateway.jobs.ending.delivery import Posted

LONGEST_ANSWER = 64 << 10
"""Bytes of an answer's body that are read."""

DRAINING = 2.0
"""Seconds for reading them: what the receiver wanted to say it has said by then, in its status."""

_LONGEST_ERROR = 300


def read_retry_after(text: str | None, now: float) -> float | None:
    """Seconds from `now` (since 1970) that a Retry-After header asks for (RFC 9110 section 10.2.3)."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now)


def sign(webhooks: Sequence[Webhook], webhook_id: str, now: float, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks for one attempt at `now`, seconds since 1970: a signature for each secret, if any."""
    headers = {"webhook-id": webhook_id, "webhook-timestamp": str(int(now))}
    if webhooks:
        when, text = datetime.fromtimestamp(int(now), UTC), body.decode()
        headers["webhook-signature"] = " ".join(webhook.sign(webhook_id, when, text) for webhook in webhooks)
    return headers


class CallbackPoster:
    """Posts to wherever the guard lets it. Made inside an event loop; close it.

    `clients` are the tenants by name, of whom some have secrets of their own; `now` is seconds since 1970; `trust` is for
    receivers whose certificates the system does not know.
    """

    def __init__(
        self,
        settings: CallbackSettings,
        clients: Mapping[str, ClientSettings],
        guard: Guard,
        now: Callable[[], float],
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = guard
        self._now = now
        self._webhooks = _load(settings.secrets)
        self._own = {name: _load(client.callback_secrets) for name, client in clients.items() if client.callback_secrets}
        # A connection for each attempt: every one of them passes the guard, and none has a past.
        connector = TCPConnector(
            socket_factory=guard.open_socket, force_close=True, use_dns_cache=False, limit=0, ssl=trust or True
        )
        self._session = ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=settings.timeout),
            trust_env=False,
            auto_decompress=False,
            headers={
                "user-agent": f"batch-gateway/{__version__}",
                "content-type": "application/json",
                "accept": "*/*",
                "accept-encoding": "identity",
            },
        )

    async def post(self, url: str, webhook_id: str, tenant: str, body: bytes) -> Posted:
        """One attempt. Never raises for what the receiver or the network does."""
        problem = self._guard.check_url(url)
        if problem is not None:
            return Posted(None, f"the callback URL is not allowed: {problem}")
        headers = sign(self._own.get(tenant, self._webhooks), webhook_id, self._now(), body)
        try:
            async with self._session.post(URL(url), data=body, headers=headers, allow_redirects=False) as answer:
                with suppress(ClientError, OSError):
                    await _drain(answer)
                return self._judge(answer)
        except TimeoutError:
            return Posted(None, "the receiver did not answer in time")
        except (ClientError, OSError) as error:
            return Posted(None, str(error)[:_LONGEST_ERROR] or type(error).__name__)

    def _judge(self, answer: ClientResponse) -> Posted:
        if 200 <= answer.status < 300:
            return Posted(answer.status)
        retry_after = read_retry_after(answer.headers.get("retry-after"), self._now())
        return Posted(answer.status, f"the receiver answered {answer.status}", retry_after)

    async def close(self) -> None:
        """End what is being sent, and close everything."""
        await self._session.close()


async def _drain(answer: ClientResponse) -> None:
    """Read some of the body, so that the receiver is not cut off in the middle of a sentence."""
    left = LONGEST_ANSWER
    async with asyncio.timeout(DRAINING):
        while left and (piece := await answer.content.read(left)):
            left -= len(piece)


def _load(secrets: Sequence[str]) -> tuple[Webhook, ...]:
    return tuple(Webhook(secret) for secret in secrets)
