"""One try of a request in a pool: waiting, on the wire, or over."""

import ssl
from collections.abc import Callable
from typing import Protocol

from gateway.messages import SAFE_METHODS, Failure, Outcome, Reason, Request, Response
from gateway.upstreams.attempt import Attempt, Progress
from gateway.upstreams.fields import ClientFields
from gateway.upstreams.wire.broken import Broken
from gateway.upstreams.wire.connection import Connection
from gateway.upstreams.wire.dial import say


class Venue(Protocol):
    """What an exchange needs of its pool."""

    @property
    def label(self) -> str:
        """The upstream's name and URL."""

    @property
    def fields(self) -> ClientFields:
        """What clients see."""

    def release(self, connection: Connection) -> None:
        """Take back a connection on which an answer has been read."""

    def forget(self, exchange: "Exchange") -> None:
        """Let one that waits wait no more."""


class Exchange:
    """One try: its ticket, the call of its connection, and in the end the report of it.

    `until`: when it must be over. `since`: from when it has waited for a place, if it does; waiting for a connection that is
    being made is not that. `queued`: how long it has.
    """

    __slots__ = (
        "_done",
        "_venue",
        "connection",
        "head",
        "outcome",
        "over",
        "progress",
        "queued",
        "request",
        "since",
        "until",
    )

    outcome: Outcome

    def __init__(self, venue: Venue, request: Request, head: bytes, done: Callable[[Attempt], None]) -> None:
        self._venue = venue
        self._done = done
        self.request = request
        self.head = head
        self.since: float | None = None
        self.until = request.deadline
        self.queued = 0.0
        self.connection: Connection | None = None
        self.progress = Progress.NOTHING_SENT
        self.over = False

    def cancel(self) -> None:
        """Nobody wants the answer any more."""
        if not self.over:
            self.over = True
            self._let_go()

    def fail(self, reason: Reason, what: str) -> None:
        """End it, and what it holds, with a failure: "users (http://users:8080) " and `what`. Nothing if it is over."""
        if self.over:
            return
        self._let_go()
        maybe = self.progress is not Progress.NOTHING_SENT and self.request.method not in SAFE_METHODS
        self.outcome = Failure(reason, f"{self._venue.label} {what}", self.queued, maybe)
        self.over = True
        self._done(self)

    def send_on(self, connection: Connection) -> None:
        """It is this one's turn."""
        self.connection = connection
        self.progress = Progress.NOTHING_ANSWERED
        connection.send(self, self.request.method, self.head, self.request.body)

    # What its connection calls.

    def answered(self, connection: Connection) -> None:
        """The answer is complete. It is read before the connection goes to the next, whose answer comes to the same place."""
        self.progress = Progress.ANSWERED
        reader = connection.reader
        try:
            body = reader.take_body()
        except Broken as error:
            self.fail(error.reason, error.what)
            return
        head = reader.head
        headers = head.shown if head is not None else None
        if headers is None:
            headers = self._venue.fields.select(reader.headers)
            if head is not None:
                head.shown = headers
        # Not Response(…): what a NamedTuple is made by costs twice what the tuple does.
        self.outcome = tuple.__new__(Response, (reader.status, headers, body, self.queued))
        self.connection = None
        self.over = True
        if not connection.closing:
            self._venue.release(connection)
        self._done(self)

    def broken(self, connection: Connection, error: Broken) -> None:
        """The answer cannot be used."""
        self._note(connection)
        self.fail(error.reason, error.what)

    def lost(self, connection: Connection, error: Exception | None) -> None:
        """The connection has gone."""
        self._note(connection)
        if isinstance(error, ssl.SSLError):
            self.fail(Reason.UPSTREAM_TLS, f"broke off the TLS connection: {say(error)}")
        elif self.progress is Progress.ANSWERED:
            self.fail(Reason.UPSTREAM_CLOSED, "closed the connection in the middle of its answer")
        else:
            self.fail(Reason.UPSTREAM_CLOSED, "closed the connection without an answer")

    # What the pool calls.

    def end_wait(self, now: float) -> None:
        """It waits no more, whatever comes next."""
        if self.since is not None:
            self.queued = now - self.since
            self.since = None

    def look(self, now: float) -> None:
        """End it if its time is over: that for the first byte, or all of it."""
        if self.until > now:
            return
        if self.progress is Progress.NOTHING_SENT:
            self.end_wait(now)
            self.fail(Reason.UPSTREAM_TIMEOUT, "was never sent the request: its time was over before there was a connection")
        connection = self.connection
        if connection is None:
            return
        self._note(connection)
        if self.until < self.request.deadline and self.progress is Progress.ANSWERED:
            self.until = self.request.deadline
            self.look(now)
        elif connection.reader.status:
            self.fail(Reason.UPSTREAM_TIMEOUT, "did not finish its answer in time")
        else:
            self.fail(Reason.UPSTREAM_TIMEOUT, "did not begin to answer in time")

    def _let_go(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.abort()
        else:
            self._venue.forget(self)

    def _note(self, connection: Connection) -> None:
        if connection.reader.begun:
            self.progress = Progress.ANSWERED
