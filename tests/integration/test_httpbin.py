"""The gateway in front of httpbin, a service nobody here wrote: status codes, headers, delays, gzip, slow bodies, bytes."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from gateway.client import Entry, GatewayClient
from tests.support.process import Gateway, running_gateway
from tests.support.services import httpbin

ROUTES = [
    "/anything", "/status", "/delay", "/gzip", "/deflate", "/brotli", "/drip", "/bytes", "/headers", "/get", "/post", "/put",
    "/patch", "/delete", "/image", "/encoding", "/redirect-to", "/cookies", "/stream-bytes", "/uuid",
]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def origin() -> AsyncIterator[str]:
    async with httpbin() as origin:
        yield origin


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(origin: str) -> AsyncIterator[Gateway]:
    headers = {"forward": ["x-team"], "set": {"x-from": "gateway"}}
    upstream = {"url": origin, "routes": ROUTES, "timeout": "5s", "headers": headers}
    async with running_gateway({"upstreams": {"httpbin": upstream}, "limits": {"response": "64KiB"}}) as gateway:
        yield gateway


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def send(gateway: Gateway, *operations: dict[str, Any], **fields: Any) -> list[Entry]:
    """The entries of a batch of these operations."""
    async with GatewayClient(f"{gateway.url}/batch", headers={"x-team": "blue"}) as client:
        return list((await client.batch({"requests": list(operations), **fields})).entries)


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 401, 404, 418, 429, 500, 502, 503])
async def test_an_upstreams_status_is_passed_on_and_is_not_an_error_of_ours(gateway: Gateway, status: int) -> None:
    [entry] = await send(gateway, {"path": f"/status/{status}"})
    assert (entry.status, entry.error) == (status, None)


async def test_headers_are_forwarded_inherited_overridden_removed_and_set(gateway: Gateway) -> None:
    [entry] = await send(
        gateway,
        {"path": "/headers?show_env=1", "headers": {"X-Mine": "operation", "x-gone": None}},
        headers={"x-mine": "batch", "x-gone": "batch", "accept-language": "de"},
    )
    seen = entry.body["headers"]
    assert (seen["X-Mine"], seen["X-Team"], seen["X-From"], seen["Accept-Language"]) == ("operation", "blue", "gateway", "de")
    assert "X-Gone" not in seen
    assert seen["Traceparent"].startswith("00-")
    assert seen["X-Request-Id"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_body_is_sent_byte_for_byte_by_every_method_that_takes_one(gateway: Gateway, method: str) -> None:
    sent = '{"n": 1.10,  "text": "ä"}'
    envelope = f'{{"requests": [{{"method": "{method}", "path": "/{method.lower()}", "body": {sent}}}]}}'
    async with GatewayClient(f"{gateway.url}/batch") as client:
        [entry] = (await client.batch(envelope.encode())).entries
    assert entry.body["data"] == sent
    assert entry.body["headers"]["Content-Type"] == "application/json"


@pytest.mark.parametrize(("path", "flag"), [("/gzip", "gzipped"), ("/deflate", "deflated"), ("/brotli", "brotli")])
async def test_a_compressed_body_is_answered_decoded(gateway: Gateway, path: str, flag: str) -> None:
    [entry] = await send(gateway, {"path": path})
    assert entry.body[flag] is True
    assert "content-encoding" not in entry.headers


async def test_a_drip_arrives_whole_and_one_that_takes_too_long_does_not(gateway: Gateway) -> None:
    whole, late = await send(
        gateway,
        {"path": "/drip?duration=0.2&numbytes=5&delay=0"},
        {"path": "/drip?duration=20&numbytes=20&delay=0", "timeout": 400},
    )
    assert base64.b64decode(whole.body) == b"*****"
    assert (late.status, late.reason) == (504, "upstream-timeout")


async def test_operations_run_at_the_same_time_and_are_answered_in_order(gateway: Gateway) -> None:
    entries = await send(gateway, {"path": "/delay/0.6"}, {"path": "/delay/0.4"}, {"path": "/delay/0.5"}, {"path": "/uuid"})
    assert [entry.path for entry in entries] == ["/delay/0.6", "/delay/0.4", "/delay/0.5", "/uuid"]
    durations = [entry.duration or 0 for entry in entries]
    line = (await gateway.wait_for("batch", count=len(gateway.events("batch"))))["duration_ms"]
    assert line < sum(durations) * 1000 * 0.8


async def test_bytes_come_back_as_base64_and_go_out_from_it(gateway: Gateway) -> None:
    [image, sent] = await send(
        gateway,
        {"path": "/image/png"},
        {
            "method": "POST",
            "path": "/post",
            "body": base64.b64encode(b"\x00\xffabc").decode(),
            "bodyEncoding": "base64",
            "headers": {"content-type": "application/octet-stream"},
        },
    )
    assert image.body_encoding == "base64"
    assert base64.b64decode(image.body).startswith(b"\x89PNG")
    assert sent.body["data"] == "data:application/octet-stream;base64," + base64.b64encode(b"\x00\xffabc").decode()


async def test_text_keeps_its_charset(gateway: Gateway) -> None:
    [entry] = await send(gateway, {"path": "/encoding/utf8"})
    assert "∮ E⋅da = Q" in entry.body


async def test_an_answer_over_the_limit_is_a_507_and_the_rest_goes_on(gateway: Gateway) -> None:
    large, chunked, small = await send(
        gateway, {"path": "/bytes/70000"}, {"path": "/stream-bytes/70000?chunk_size=4096"}, {"path": "/bytes/10"}
    )
    assert [entry.status for entry in (large, chunked, small)] == [507, 507, 200]
    assert large.reason == chunked.reason == "upstream-too-large"


async def test_a_redirect_is_answered_and_not_followed(gateway: Gateway) -> None:
    [entry] = await send(gateway, {"path": "/redirect-to?url=http%3A%2F%2F169.254.169.254%2F&status_code=302"})
    assert (entry.status, entry.headers["location"]) == (302, "http://169.254.169.254/")


async def test_a_cookie_set_for_one_operation_is_not_sent_with_the_next(gateway: Gateway) -> None:
    setting, reading = await send(
        gateway, {"name": "set", "path": "/cookies/set?token=secret"}, {"path": "/cookies", "after": ["set"]}
    )
    assert "set-cookie" not in setting.headers
    assert reading.body == {"cookies": {}}


async def test_references_carry_values_from_one_answer_to_the_next(gateway: Gateway) -> None:
    first, second = await send(
        gateway,
        {"name": "first", "path": "/anything/a?x=1&y=a%20b"},
        {
            "method": "POST",
            "path": "/anything/${result=first:$.args.x}?from=${result=first:$.args.y}&status=${status=first}",
            "headers": {"x-echo": "${header=first:content-type}"},
            "body": {"args": "${result=first:$.args}", "text": "x is ${result=first:$.args.x}"},
        },
    )
    assert first.status == second.status == 200
    assert second.path == "/anything/1?from=a%20b&status=200"
    assert second.body["json"] == {"args": {"x": "1", "y": "a b"}, "text": "x is 1"}
    assert second.body["headers"]["X-Echo"] == "application/json"
