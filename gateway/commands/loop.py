"""The event loop that gateways run on."""

import asyncio
from collections.abc import Coroutine
from importlib import import_module
from importlib.util import find_spec
from typing import Any

# uvloop is not built for every platform; asyncio's own loop is slower and does the same.
_LOOPS = "uvloop" if find_spec("uvloop") else "asyncio"


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run `main` to its end; the exit status it returns."""
    with asyncio.Runner(loop_factory=import_module(_LOOPS).new_event_loop) as runner:
        return runner.run(main)
