"""Small services for the demo to be a gateway to: users, orders, notes, models. Each answers after a delay of its own."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

_USERS = {
    41: {"id": 41, "name": "Grace Hopper", "email": "grace@example.com", "tier": "silver"},
    42: {"id": 42, "name": "Ada Lovelace", "email": "ada@example.com", "tier": "gold"},
}
_GREETINGS = {"de": "Guten Tag", "en": "Good day", "fr": "Bonjour"}
_ORDERS: dict[int, dict[str, Any]] = {
    1001: {"id": 1001, "customer": 42, "placed": "2026-03-02", "total": "89.90", "status": "delivered"},
    1002: {"id": 1002, "customer": 42, "placed": "2026-03-16", "total": "12.50", "status": "sent"},
    1003: {"id": 1003, "customer": 42, "placed": "2026-03-20", "total": "240.00", "status": "packing"},
    1004: {"id": 1004, "customer": 41, "placed": "2026-03-21", "total": "31.00", "status": "sent"},
}
_LINES = {
    1001: [{"sku": "KB-87", "title": "Keyboard", "quantity": 1}],
    1002: [{"sku": "CB-02", "title": "Cable, 2 m", "quantity": 2}, {"sku": "PD-01", "title": "Mouse pad", "quantity": 1}],
    1003: [{"sku": "MN-27", "title": "Monitor", "quantity": 1}],
    1004: [{"sku": "LM-11", "title": "Desk lamp", "quantity": 1}],
}
_SHIPMENTS = {
    1001: {"order": 1001, "carrier": "Albatross", "tracking": "AL-7741"},
    1002: {"order": 1002, "carrier": "Albatross", "tracking": "AL-8020"},
    1004: {"order": 1004, "carrier": "Pigeon", "tracking": "PG-0316"},
}


def make_users() -> web.Application:
    """`/users/{id}`, greeted in the request's language, and `/users/{id}/preferences`."""

    async def user(request: web.Request) -> web.Response:
        await asyncio.sleep(0.040)
        found = _USERS.get(_number(request))
        if found is None:
            return _missing("user", request)
        language = request.headers.get("accept-language", "en")[:2]
        return web.json_response({**found, "greeting": _GREETINGS.get(language, _GREETINGS["en"])})

    async def preferences(request: web.Request) -> web.Response:
        await asyncio.sleep(0.060)
        if _number(request) not in _USERS:
            return _missing("user", request)
        return web.json_response(
            {"user": _number(request), "language": request.headers.get("accept-language", ""), "dark": True}
        )

    app = web.Application()
    app.router.add_get(r"/users/{id:\d{1,9}}", user)
    app.router.add_get(r"/users/{id:\d{1,9}}/preferences", preferences)
    return app


def make_orders() -> web.Application:
    """`/orders?customer=`, `/orders/{id}/lines` and `/orders/{id}/shipment`, which an order that is not sent yet has not."""

    async def orders(request: web.Request) -> web.Response:
        await asyncio.sleep(0.080)
        customer = request.query.get("customer", "")
        return web.json_response({"items": [order for order in _ORDERS.values() if str(order["customer"]) == customer]})

    async def lines(request: web.Request) -> web.Response:
        order = _number(request)
        await asyncio.sleep(0.030 + 0.020 * (order % 4))
        if order not in _LINES:
            return _missing("order", request)
        return web.json_response({"order": order, "lines": _LINES[order]})

    async def shipment(request: web.Request) -> web.Response:
        await asyncio.sleep(0.030)
        found = _SHIPMENTS.get(_number(request))
        return web.json_response(found) if found else _missing("shipment of order", request)

    app = web.Application()
    app.router.add_get("/orders", orders)
    app.router.add_get(r"/orders/{id:\d{1,9}}/lines", lines)
    app.router.add_get(r"/orders/{id:\d{1,9}}/shipment", shipment)
    return app


def make_notes() -> web.Application:
    """`/notes` to read and to write, and `/notes/{tracking}`."""
    written: list[dict[str, Any]] = [{"id": 1, "author": 41, "text": "Stock-taking on Friday."}]
    kept = 100

    async def notes(_: web.Request) -> web.Response:
        await asyncio.sleep(0.120)
        return web.json_response({"notes": written})

    async def write(request: web.Request) -> web.Response:
        await asyncio.sleep(0.035)
        note = {**await request.json(), "id": written[-1]["id"] + 1}
        written.append(note)
        del written[:-kept]
        return web.json_response(note, status=201, headers={"location": f"/notes/{note['id']}"})

    async def about(request: web.Request) -> web.Response:
        await asyncio.sleep(0.035)
        return web.json_response({"tracking": request.match_info["tracking"], "notes": []})

    app = web.Application()
    app.router.add_get("/notes", notes)
    app.router.add_post("/notes", write)
    app.router.add_get("/notes/{tracking}", about)
    return app


def make_models() -> web.Application:
    """`/v1/chat/completions`, by a model that says what it was told in capital letters."""

    async def complete(request: web.Request) -> web.Response:
        asked = await request.json()
        await asyncio.sleep(0.050)
        said = str(asked["messages"][-1]["content"]) if asked.get("messages") else ""
        if not said:
            return web.json_response({"error": {"message": "messages must say something"}}, status=400)
        words = len(said.split())
        return web.json_response(
            {
                "id": "chatcmpl-demo",
                "object": "chat.completion",
                "created": 0,
                "model": asked.get("model", ""),
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said.upper()}}],
                "usage": {"prompt_tokens": words, "completion_tokens": words, "total_tokens": 2 * words},
            }
        )

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    return app


SERVICES: dict[str, Callable[[], web.Application]] = {
    "users": make_users,
    "orders": make_orders,
    "notes": make_notes,
    "models": make_models,
}
"""What the demo can start, by the name of the upstream."""


def _number(request: web.Request) -> int:
    return int(request.match_info["id"])


def _missing(what: str, request: web.Request) -> web.Response:
    return web.json_response({"message": f"there is no {what} {_number(request)}"}, status=404)
