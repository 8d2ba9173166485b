"""Who asks: the clients of the configuration, and how one shows which it is."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.config.jobs import ClientSettings, QuotaSettings
from gateway.errors import Refusal
from gateway.messages import Reason

_CHALLENGE = (("www-authenticate", 'Bearer realm="gateway"'),)


@dataclass(frozen=True, slots=True)
class Client:
    """Who owns files and jobs. `name` is the tenant in every record."""

    name: str
    quota: QuotaSettings


EVERYBODY = Client("everybody", QuotaSettings())
"""The one client where nobody needs a key."""


class Clients:
    """The clients of a configuration, found by their API keys. Without `needs_key` everybody is one client."""

    def __init__(self, settings: Mapping[str, ClientSettings], needs_key: bool) -> None:
        self.by_name = {name: Client(name, client.quota) for name, client in settings.items()}
        self._needs_key = needs_key
        # Keys are long and random: their hash needs no salt, and looking it up tells an attacker nothing about a key.
        self._by_hash = {key: self.by_name[name] for name, client in settings.items() for key in client.keys}
        self._by_ivvy_key = {
            client.ivvy.key: (self.by_name[name], client.ivvy.secret) for name, client in settings.items() if client.ivvy
        }

    def identify(self, headers: Mapping[str, str]) -> Client:
        """Whose key the `authorization` header has (RFC 6750 section 2.1). Raises a Refusal, 401."""
        if not self._needs_key:
            return EVERYBODY
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Refusal(Reason.UNAUTHORIZED, "an API key is needed: Authorization: Bearer KEY", headers=_CHALLENGE)
        digest = hashlib.sha256(key.strip().encode()).hexdigest()
        client = self._by_hash.get(f"sha256:{digest}")
        if client is None:
            raise Refusal(Reason.UNAUTHORIZED, "the API key is not known", headers=_CHALLENGE)
        return client

    def is_known(self, headers: Mapping[str, str]) -> bool:
        """Whether the `authorization` header has the key of a client: it is for the gateway then, and for nobody behind it."""
        if not self._needs_key or "authorization" not in headers:
            return False
        try:
            self.identify(headers)
        except Refusal:
            return False
        return True

    def find_signer(self, key: str) -> tuple[Client, str] | None:
        """Whose ivvy key this is, and the secret that a request has to be signed with to be theirs."""
        return self._by_ivvy_key.get(key)
