"""Who asks: by API key, by ivvy key, or everybody."""

import hashlib

import pytest

from gateway.config.jobs import ClientSettings
from gateway.errors import Refusal
from gateway.jobs.clients import EVERYBODY, Clients
from gateway.messages import Reason


def hash_of(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


SETTINGS = {
    "shop": ClientSettings.model_validate(
        {"keys": [hash_of("shop-1"), hash_of("shop-2")], "ivvy": {"key": "shop", "secret": "s3cret"}}
    ),
    "bank": ClientSettings.model_validate({"keys": [hash_of("bank-1")], "quota": {"jobs": 3}}),
}


def refused(clients: Clients, headers: dict[str, str]) -> str:
    with pytest.raises(Refusal) as caught:
        clients.identify(headers)
    assert (caught.value.reason, caught.value.status) == (Reason.UNAUTHORIZED, 401)
    assert caught.value.headers == (("www-authenticate", 'Bearer realm="gateway"'),)
    return caught.value.detail


@pytest.mark.parametrize(
    ("value", "name"),
    [("Bearer shop-1", "shop"), ("bearer shop-2", "shop"), ("Bearer  bank-1 ", "bank")],
)
def test_a_key_shows_whose_it_is(value: str, name: str) -> None:
    assert Clients(SETTINGS, needs_key=True).identify({"authorization": value}).name == name


def test_a_client_has_its_quota() -> None:
    assert Clients(SETTINGS, needs_key=True).identify({"authorization": "Bearer bank-1"}).quota.jobs == 3


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic shop-1", "shop-1"])
def test_without_a_key_one_is_asked_for(value: str) -> None:
    assert refused(Clients(SETTINGS, True), {"authorization": value}) == "an API key is needed: Authorization: Bearer KEY"
    assert refused(Clients(SETTINGS, True), {}) == "an API key is needed: Authorization: Bearer KEY"


@pytest.mark.parametrize("value", ["Bearer shop-3", f"Bearer {hash_of('shop-1')}", "Bearer Shop-1", "Bearer ké\xff"])
def test_a_key_that_nobody_has_is_refused_and_not_repeated(value: str) -> None:
    assert refused(Clients(SETTINGS, True), {"authorization": value}) == "the API key is not known"


def test_where_no_key_is_needed_everybody_is_one_client() -> None:
    clients = Clients(SETTINGS, needs_key=False)
    assert clients.identify({"authorization": "Bearer bank-1"}) == clients.identify({}) == EVERYBODY


@pytest.mark.parametrize("needs_key", [True, False])
def test_an_ivvy_key_shows_whose_it_is_and_what_it_signs_with(needs_key: bool) -> None:
    clients = Clients(SETTINGS, needs_key)
    assert clients.find_signer("shop") == (clients.by_name["shop"], "s3cret")
    assert clients.find_signer("bank") is None


def test_no_secret_is_shown() -> None:
    assert "s3cret" not in repr(SETTINGS)
