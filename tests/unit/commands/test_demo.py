"""The demo's services, and what is said when they cannot listen."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import unused_port

from gateway.commands.demo.running import NoListener, running_services
from gateway.commands.demo.services import SERVICES


@pytest.fixture
async def urls() -> AsyncIterator[dict[str, str]]:
    urls = {name: f"http://127.0.0.1:{unused_port()}" for name in SERVICES}
    async with running_services(urls, "demo.yaml") as names:
        assert names == list(SERVICES)
        yield urls


async def _get(url: str, **headers: str) -> tuple[int, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as session, session.get(url, headers=named) as response:
        return response.status, await response.json()


async def test_users_greet_in_the_language_asked_for(urls: dict[str, str]) -> None:
    german, preferences, missing = await asyncio.gather(
        _get(f"{urls['users']}/users/42", accept_language="de"),
        _get(f"{urls['users']}/users/42/preferences", accept_language="en"),
        _get(f"{urls['users']}/users/7"),
    )

    assert (german[0], german[1]["name"], german[1]["greeting"]) == (200, "Ada Lovelace", "Guten Tag")
    assert preferences == (200, {"user": 42, "language": "en", "dark": True})
    assert missing == (404, {"message": "there is no user 7"})


async def test_orders_belong_to_a_customer_and_the_third_is_not_shipped(urls: dict[str, str]) -> None:
    orders, lines, sent, unsent = await asyncio.gather(
        _get(f"{urls['orders']}/orders?customer=42"),
        _get(f"{urls['orders']}/orders/1002/lines"),
        _get(f"{urls['orders']}/orders/1001/shipment"),
        _get(f"{urls['orders']}/orders/1003/shipment"),
    )

    assert [order["id"] for order in orders[1]["items"]] == [1001, 1002, 1003]
    assert [line["sku"] for line in lines[1]["lines"]] == ["CB-02", "PD-01"]
    assert (sent[0], sent[1]["tracking"]) == (200, "AL-7741")
    assert unsent == (404, {"message": "there is no shipment of order 1003"})


async def test_a_note_that_is_written_can_be_read(urls: dict[str, str]) -> None:
    note = {"author": 42, "text": "Hello"}
    async with aiohttp.ClientSession() as session, session.post(f"{urls['notes']}/notes", json=note) as response:
        written = await response.json()
        assert (response.status, response.headers["location"]) == (201, f"/notes/{written['id']}")
    _, read = await _get(f"{urls['notes']}/notes")

    assert read["notes"][-1] == written == {**note, "id": 2}


async def test_upstreams_that_the_demo_does_not_know_are_left_alone() -> None:
    async with running_services({"billing": "http://192.0.2.1:1"}, "demo.yaml") as names:
        assert names == []


async def test_a_taken_port_is_named_with_the_setting_to_change() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        free = unused_port()
        urls = {"users": f"http://127.0.0.1:{free}", "orders": f"http://127.0.0.1:{port}"}
        with pytest.raises(NoListener) as caught:
            async with running_services(urls, "config/demo.yaml"):
                pytest.fail("it started")

    assert str(caught.value) == (
        f"port {port} on 127.0.0.1 is taken: end what uses it, or change upstreams.orders.url in config/demo.yaml"
    )
    with socket.socket() as freed:
        freed.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        freed.bind(("127.0.0.1", free))  # what had started before has ended
