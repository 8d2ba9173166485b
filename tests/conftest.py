"""What all tests have around them.

The event loop that they run on is asyncio's own, or with TEST_LOOP=uvloop the one that `gateway serve` runs on. How wide the
terminal is that the tests were started in, which may stand in COLUMNS, is none of their business.
"""

import asyncio
import os
from collections.abc import Callable, Mapping

import pytest
import uvloop

os.environ.pop("COLUMNS", None)

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """A hook of pytest-asyncio."""
    chosen = os.environ.get("TEST_LOOP", "asyncio")
    return {chosen: LOOPS[chosen]}
