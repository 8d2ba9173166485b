"""The head of a request, as bytes (RFC 9112 sections 2.2, 3 and 3.2.1). Host and framing are written here and nowhere else."""

import re

from gateway import __version__
from gateway.batch.routes import METHODS
from gateway.messages import Reason, Request
from gateway.upstreams.codings import ACCEPTED
from gateway.upstreams.fields import BadField, find_form
from gateway.upstreams.wire.broken import Broken

AGENT = f"\r\nuser-agent: batch-gateway/{__version__}"


class HeadWriter:
    """Writes the heads of requests to `host`. `reuse`: the connection is meant to stay open."""

    def __init__(self, host: str, reuse: bool) -> None:
        closing = "" if reuse else "\r\nconnection: close"
        self._own = f" HTTP/1.1\r\nhost: {host}\r\naccept-encoding: {ACCEPTED}{closing}"
        self._ours = self._own + AGENT

    def write(self, request: Request) -> bytes:
        """Request line and fields. The target goes out as it is, the values as latin-1. Broken if that cannot be."""
        _, method, target, headers, body, _ = request
        if method not in _METHODS or not _is_target(target):
            raise Broken(Reason.PATH_NOT_ALLOWED, "was not sent the request: its target would not arrive as it is")
        own, fields, length = self._ours, "", ""
        try:
            if headers:
                names, values = zip(*headers)  # noqa: B905  # they are pairs, and to be strict costs a third of it
                form = find_form(names)
                fields = form.fill(values)
                if form.has_agent:
                    own = self._own
            if body is not None:
                length = f"\r\ncontent-length: {len(body)}"
            elif method in _ANTICIPATING:
                length = "\r\ncontent-length: 0"
            return f"{method} {target}{own}{fields}{length}\r\n\r\n".encode("latin-1")
        except BadField as error:
            raise Broken(Reason.INVALID_HEADER, f"was not sent the request: {error}") from None
        except UnicodeEncodeError:
            what = "was not sent the request: the value of a header holds a character beyond latin-1"
            raise Broken(Reason.INVALID_HEADER, what) from None


_METHODS = frozenset(METHODS)

_is_target = re.compile(r"""/[!"$-~]*""").fullmatch
"""Origin-form without a fragment. Whether it may be asked for was settled before; this is about what goes on the wire."""

_ANTICIPATING = frozenset({"POST", "PUT", "PATCH"})
"""Methods that anticipate content: without any they say so (RFC 9110 section 8.6)."""
