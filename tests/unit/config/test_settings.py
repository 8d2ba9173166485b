import dataclasses
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.batch.limits import Limits
from gateway.batch.routes import METHODS, HeaderPolicy, Route
from gateway.config.settings import LimitSettings, Settings
from gateway.config.upstreams import UpstreamSettings


def settings_of(**upstreams: dict[str, Any]) -> Settings:
    return Settings.model_validate({"upstreams": upstreams})


def test_limits_of_a_batch_have_the_names_and_defaults_of_the_batch_room() -> None:
    assert LimitSettings().batch_limits() == Limits()
    shared = {field.name: field.default for field in dataclasses.fields(Limits)}
    assert {name: getattr(LimitSettings(), name) for name in shared} == shared


def test_every_limit_reaches_the_batch_room() -> None:
    lowered = {
        field.name: 20 + index
        for index, field in enumerate(dataclasses.fields(Limits))
        if field.name not in ("response", "answer")
    } | {"response": 5, "answer": 6, "timeout": 90, "operation_timeout": 80}
    assert dataclasses.asdict(LimitSettings.model_validate(lowered).batch_limits()) == lowered


def test_lowering_a_whole_lowers_the_parts_that_are_not_set() -> None:
    limits = LimitSettings.model_validate({"timeout": "5s", "buffered": "1MiB"})
    assert (limits.operation_timeout, limits.answer, limits.response) == (5.0, 1 << 20, 1 << 20)


def test_routes_carry_what_the_batch_room_needs() -> None:
    table = settings_of(
        users={
            "url": "http://users:8080",
            "routes": ["/users", {"path": "/login/", "methods": ["POST"], "max_per_batch": 1}],
            "timeout": "2s",
            "methods": ["GET", "POST"],
            "pass_set_cookie": True,
            "headers": {"forward": ["Authorization"], "deny": ["Cookie"], "set": {"X-Key": "k"}},
        },
        orders={"url": "https://orders", "routes": ["/"]},
    ).route_table()
    policy = HeaderPolicy(frozenset({"authorization"}), frozenset({"cookie"}), (("x-key", "k"),))
    assert table.routes == (
        Route("users", "/users", 2.0, frozenset({"GET", "POST"}), 0, policy, True),
        Route("users", "/login", 2.0, frozenset({"POST"}), 1, policy, True),
        Route("orders", "/", 10.0, frozenset(METHODS)),
    )


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().server.port = 1  # type: ignore[misc]  # mypy knows too


def test_header_values_are_not_in_the_representation() -> None:
    settings = settings_of(a={"url": "http://a", "routes": ["/"], "headers": {"set": {"authorization": "Bearer hush"}}})
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings)


def test_an_error_of_validation_does_not_show_values() -> None:
    with pytest.raises(ValidationError) as refused:
        UpstreamSettings.model_validate({"url": "http://me:hush@a", "routes": ["/"], "headers": {"set": {"a": "hush\n"}}})
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("path", "lowest", "highest"),
    [
        ("server.port", 0, 65_535),
        ("admin.port", 0, 65_535),
        ("server.drain_delay", 0, 86_400),
        ("limits.depth", 1, 200),
        ("limits.reference", 1, 4096),
        ("limits.reference_segments", 1, 100),
    ],
)
def test_bounds(path: str, lowest: int, highest: int) -> None:
    section, name = path.split(".")
    for allowed in (lowest, highest):
        assert getattr(getattr(Settings.model_validate({section: {name: allowed}}), section), name) == allowed
    for refused in (lowest - 1, highest + 1):
        with pytest.raises(ValidationError):
            Settings.model_validate({section: {name: refused}})


@pytest.mark.parametrize(("written", "seconds"), [(None, None), ("250ms", 0.25), (2, 2.0)])
def test_the_first_byte_has_a_time_of_its_own_only_where_one_is_given(written: object, seconds: float | None) -> None:
    settings = settings_of(a={"url": "http://a", "routes": ["/"], "first_byte_timeout": written})
    assert settings.upstreams["a"].first_byte_timeout == seconds


@pytest.mark.parametrize("name", ["timeout", "connect_timeout", "first_byte_timeout", "max_age"])
def test_a_timeout_of_zero_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="must be positive"):
        settings_of(a={"url": "http://a", "routes": ["/"], name: 0})
