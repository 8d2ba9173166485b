"""Heads of answers that have been read before: an upstream sends the same one, byte for byte, again and again.

The parser has read such a head once, and would find in it what it found then; to parse it anew, field by field, is half of what
an answer costs. Only the plainest are kept: short, 200 to 599, with a content-length, no coding, on a connection that stays.
"""

from gateway.messages import Headers

MOST = 64
LONGEST = 1 << 10
"""How many heads are kept, and how long one may be (bytes)."""

WORTH = 4
REST = 10_000
"""Heads that were not used so many times on average when there is no more room (each has a number in it, or the time) are not
worth their keep: so many answers are read without any."""


class Head:
    """What a head says. `shown`: what clients see of it, once somebody has looked."""

    __slots__ = ("headers", "length", "shown", "status", "uses")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], length: int) -> None:
        self.status = status
        self.headers = headers
        self.length = length
        self.uses = 0
        self.shown: Headers | None = None


class Heads:
    """Those of one upstream, by their bytes up to the empty line."""

    def __init__(self) -> None:
        self.known: dict[bytes, Head] = {}
        self._rest = 0

    def learn(self, raw: bytes, status: int, headers: list[tuple[bytes, bytes]], length: int) -> None:
        """Keep a head whose answer ended after `length` bytes of body, if it is of the plainest and looks worth it."""
        if self._rest:
            self._rest -= 1
            return
        names = {name.lower() for name, _ in headers}
        if len(raw) > LONGEST or b"content-length" not in names or not names.isdisjoint(_CODED):
            return
        if len(self.known) >= MOST:
            if sum(head.uses for head in self.known.values()) < WORTH * MOST:
                self._rest = REST
            self.known.clear()
        self.known[raw] = Head(status, headers, length)


_CODED = {b"content-encoding", b"transfer-encoding"}
