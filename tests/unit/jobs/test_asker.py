import pytest

from gateway.batch.routes import HeaderPolicy, Route, RouteTable
from gateway.jobs.asker import dump_asker, load_asker
from gateway.messages import Context, Headers, Trace

POLICY = HeaderPolicy(forward=frozenset({"authorization", "accept-language"}))
ROUTES = RouteTable((Route("users", "/users"), Route("orders", "/orders", policy=POLICY)))
HEADERS = (("authorization", "Bearer secret"), ("accept-language", "de"), ("cookie", "a=b"), ("x-other", "1"))
CONTEXT = Context("r-1", Trace("a" * 32, "b" * 16, "01", "v=1"), "192.0.2.1", HEADERS, (("x-request-id", "r-1"),))


@pytest.mark.parametrize(
    ("keys", "kept"),
    [
        (True, (("accept-language", "de"),)),
        (False, (("authorization", "Bearer secret"), ("accept-language", "de"))),
    ],
)
def test_what_some_route_forwards_is_kept_and_the_gateways_own_keys_never(keys: bool, kept: Headers) -> None:
    text = dump_asker(CONTEXT, ROUTES, keys)
    assert load_asker(text) == CONTEXT._replace(headers=kept)
    assert (b"secret" in text) is not keys
