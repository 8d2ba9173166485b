import asyncio
import time

from gateway.admin.lag import INTERVAL, LoopLag


async def test_loop_that_is_held_up_shows() -> None:
    lag = LoopLag()
    assert lag.worst() == 0.0
    lag.start()
    await asyncio.sleep(0)
    time.sleep(INTERVAL * 2)  # noqa: ASYNC251  # holding the loop up is what this is about
    looked = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, looked.set)
    await looked.wait()
    lag.stop()
    assert lag.worst() >= INTERVAL * 0.9
