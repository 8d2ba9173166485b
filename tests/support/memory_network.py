"""An event loop whose time leaps and whose network is in memory: what takes minutes takes none, and each run is like the last.

    def play(arrival: Arrival, link: Link) -> None:        # a request has arrived; say what happens, now or later
        link.write(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")

    with contextlib.closing(LeapingLoop(MemoryNetwork(play))) as loop:
        loop.run_until_complete(...)

Only `create_unix_connection` leads into it. A loop with nothing left to wait for raises Stuck.
"""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.upstream import Arrival, cut_request

TURNS = 100_000
"""Of the loop, after which it is taken to go round in circles."""

Play = Callable[[Arrival, "Link"], None]
Accept = Callable[[int], Awaitable[None]]
"""Called with the number of an attempt to connect, from 1: may take its time, or raise OSError."""


class Stuck(AssertionError):
    """Somebody waits for what will never be."""


class LeapingSelector(selectors.SelectSelector):
    """Waits no time, and counts how long it would have."""

    now = 0.0
    turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready."""
        self.turns += 1
        if timeout is None:
            raise Stuck("nothing is left that could happen")
        if self.turns > TURNS:
            raise Stuck("it goes round in circles")
        self.now += max(timeout, 0.0)
        return super().select(0)


class LeapingLoop(asyncio.SelectorEventLoop):
    """Time passes when there is nothing to do, and then at once."""

    def __init__(self, network: "MemoryNetwork") -> None:
        self._leaping = LeapingSelector()
        super().__init__(self._leaping)
        self._network = network

    def time(self) -> float:
        """Seconds since the start."""
        return self._leaping.now

    async def create_unix_connection(self, protocol_factory: Any, path: Any = None, **options: Any) -> Any:
        """A connection in memory, whatever the path."""
        return await self._network.connect(protocol_factory)


class Link(asyncio.Transport):
    """One connection: a transport to its client, and in `play`'s hands the other side of it.

    `waiting` are requests that arrived and have not been answered in full by the word of `settle`.
    """

    def __init__(self, network: "MemoryNetwork", protocol: asyncio.Protocol, number: int) -> None:
        super().__init__()
        self._network = network
        self._protocol = protocol
        self._received = b""
        self._flying = 0
        self.number = number
        self.waiting: list[Arrival] = []
        self.open = True

    # the client's side

    def write(self, data: Any) -> None:
        """Arrives a turn of the loop later."""
        self._flying += 1
        asyncio.get_running_loop().call_soon(self._take, bytes(data))

    def is_closing(self) -> bool:
        """Whether it is closed."""
        return not self.open

    def close(self) -> None:
        """As abort: nothing is ever unsent here."""
        self.abort()

    def abort(self) -> None:
        """The client's end of it."""
        self._end(None)

    # the server's side

    @property
    def idle(self) -> bool:
        """Whether nothing was asked on it, or is about to be, that has not been answered."""
        return not self.waiting and not self._flying

    def tell(self, data: bytes) -> None:
        """Bytes for the client."""
        if self.open:
            self._protocol.data_received(data)

    def settle(self) -> None:
        """The oldest request has all of its answer."""
        if self.waiting:
            self.waiting.pop(0)

    def hang_up(self) -> None:
        """The server's orderly end."""
        if self.open:
            self._protocol.eof_received()
            self._end(None)

    def reset(self) -> None:
        """The server's disorderly end."""
        self._end(ConnectionResetError("reset"))

    def _end(self, error: Exception | None) -> None:
        if self.open:
            self.open = False
            self._network.open.discard(self)
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, error)

    def _take(self, data: bytes) -> None:
        self._flying -= 1
        if not self.open:
            return
        self._received += data
        while (cut := cut_request(self._received, self.number, at_head=False)) is not None:
            arrival, self._received = cut
            self.waiting.append(arrival)
            self._network.arrivals.append(arrival)
            self._network.play(arrival, self)


class MemoryNetwork:
    """Every connection to one upstream. `most` is how many were open at once, `tries` how many attempts there were."""

    def __init__(self, play: Play, accept: Accept) -> None:
        self.play = play
        self._accept = accept
        self.arrivals: list[Arrival] = []
        self.open: set[Link] = set()
        self.most = self.tries = 0

    async def connect(self, make_protocol: Callable[[], asyncio.Protocol]) -> tuple[Link, asyncio.Protocol]:
        """For the loop."""
        self.tries += 1
        await self._accept(self.tries)
        protocol = make_protocol()
        link = Link(self, protocol, self.tries)
        self.open.add(link)
        self.most = max(self.most, len(self.open))
        protocol.connection_made(link)
        return link, protocol
