"""The head of a request, as bytes (RFC 9112 sections 2.2, 3 and 3.2.1). Host and framing are written here and nowhere else."""

import re

from gateway import __version__
from gateway.batch.routes import METHODS
from gateway.messages import Headers, Reason, Request
from gateway.upstreams.codings import ACCEPTED
from gateway.upstreams.fields import BadField, check_value, find_form
from gateway.upstreams.wire.broken import Broken

KEPT = 64
"""How many lists of fields are kept as they were written: so many batches may take turns to send without writing them again."""

AGENT = f"\r\nuser-agent: batch-gateway/{__version__}"


class HeadWriter:
    """Writes the heads of requests to `host`. `reuse`: the connection is meant to stay open."""

    def __init__(self, host: str, reuse: bool) -> None:
        closing = "" if reuse else "\r\nconnection: close"
        self._own = f" HTTP/1.1\r\nhost: {host}\r\naccept-encoding: {ACCEPTED}{closing}"
        self._ours = self._own + AGENT
        self._kept: dict[Headers, str] = {}

    def write(self, request: Request) -> bytes:
        """Request line and fields. The target goes out as it is, the values as latin-1. Broken if that cannot be."""
        _, method, target, headers, body, _ = request
        if method not in _METHODS or not _is_target(target):
            raise Broken(Reason.PATH_NOT_ALLOWED, "was not sent the request: its target would not arrive as it is")
        length = ""
        if body is not None:
            length = f"\r\ncontent-length: {len(body)}"
        elif method in _ANTICIPATING:
            length = "\r\ncontent-length: 0"
        try:
            return f"{method} {target}{self._fields(headers)}{length}\r\n\r\n".encode("latin-1")
        except BadField as error:
            raise Broken(Reason.INVALID_HEADER, f"was not sent the request: {error}") from None
        except UnicodeEncodeError:
            what = "was not sent the request: the value of a header holds a character beyond latin-1"
            raise Broken(Reason.INVALID_HEADER, what) from None

    def _fields(self, headers: Headers) -> str:
        """Version and fields. BadField if one cannot be sent.

        What the requests of a batch have in common stands before the traceparent: it is written for the first of them and kept.
        To write it for each costs a tenth of all that a request in a large batch does.
        """
        at = len(headers) - 1
        while at >= 0 and headers[at][0] in _OWN_TO_EACH:
            at -= 1
        if at < 0 or headers[at][0] != "traceparent":
            return self._write(headers)
        common = headers[:at]
        kept = self._kept.get(common) or self._keep(common)
        trace = headers[at][1]
        check_value(trace)
        if at + 1 == len(headers):
            return f"{kept}\r\ntraceparent: {trace}"
        written = f"{kept}\r\ntraceparent: {trace}"
        for name, value in headers[at + 1 :]:
            check_value(value)
            written = f"{written}\r\n{name}: {value}"
        return written

    def _keep(self, headers: Headers) -> str:
        if len(self._kept) >= KEPT:
            self._kept.clear()
        self._kept[headers] = written = self._write(headers)
        return written

    def _write(self, headers: Headers) -> str:
        if not headers:
            return self._ours
        names, values = zip(*headers)  # noqa: B905  # they are pairs, and to be strict costs a third of it
        form = find_form(names)
        return (self._own if form.has_agent else self._ours) + form.fill(values)


_OWN_TO_EACH = frozenset({"content-type", "x-request-id", "idempotency-key"})
"""Fields that may follow the traceparent: those of one request among many that are alike."""

_METHODS = frozenset(METHODS)

_is_target = re.compile(r"""/[!"$-~]*""").fullmatch
"""Origin-form without a fragment. Whether it may be asked for was settled before; this is about what goes on the wire."""

_ANTICIPATING = frozenset({"POST", "PUT", "PATCH"})
"""Methods that anticipate content: without any they say so (RFC 9110 section 8.6)."""
