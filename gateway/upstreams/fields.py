"""Header fields on both sides of a hop: what goes to an upstream, and what of its answer is for the client.

Rules: RFC 9110 sections 5.1, 5.5 and 7.6.1. This is done for every request, so what a name means is looked up once and kept:
a few hundred names come again and again.
"""

import re
from collections.abc import Sequence
from itertools import compress

from gateway.messages import Headers

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

OURS = HOP_BY_HOP | {"host", "content-length", "expect", "accept-encoding"}
"""Set by this hop alone: a second opinion on one would be a way to smuggle, or to get a coding that is not undone here."""

NOT_FOR_CLIENTS = HOP_BY_HOP | {
    "content-length",  # of the coded body
    "content-encoding",  # undone
    "strict-transport-security",  # about the upstream's host, not about the gateway's
    "alt-svc",
    "authorization",  # requests have these; an answer that does is echoing a secret
    "cookie",
}

COOKIES = frozenset({"set-cookie", "set-cookie2"})

NAMES = 1024
FORMS = 256
"""How many names of answers, and forms of requests, are kept. They come from outside: of one too many, all are forgotten."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class BadField(ValueError):
    """A header field cannot be sent. The message says why, and shows no value."""


class Form:
    """The lines of requests with the same names in the same order, made once; a request fills in its values.

    One request after the other has the same names, and to check and write each line by itself costs three times as much.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        for name in names:
            if not _TOKEN.fullmatch(name):
                raise BadField("the name of a header is not one")
        self._sent = [name.lower() not in OURS for name in names]
        starts = [f"\r\n{name}: " for name in compress(names, self._sent)]
        self._parts = [part for start in starts for part in (start, "")]
        self._all = all(self._sent)
        self.has_agent = "user-agent" in names

    def fill(self, values: tuple[str, ...]) -> str:
        """The lines, each after a line end, without those that only this hop may set. BadField if one would be two."""
        check_value("".join(values))
        parts = self._parts.copy()
        parts[1::2] = values if self._all else compress(values, self._sent)
        return "".join(parts)


def check_value(value: str) -> None:
    """BadField if this would be more than one line, or none."""
    if "\r" in value or "\n" in value or "\0" in value:
        raise BadField("the value of a header would not stay on its line")


def find_form(names: tuple[str, ...]) -> Form:
    """The form for these names. BadField for what is no name."""
    form = _forms.get(names)
    if form is None:
        form = Form(names)
        if len(_forms) >= FORMS:
            _forms.clear()
        _forms[names] = form
    return form


_forms: dict[tuple[str, ...], Form] = {}


class ClientFields:
    """Chooses what clients see of answers. Each upstream has one, with the names that it uses."""

    def __init__(self, show_cookies: bool) -> None:
        self._hidden = NOT_FOR_CLIENTS if show_cookies else NOT_FOR_CLIENTS | COOKIES
        self._shown: dict[bytes, str] = {}

    def select(self, raw: Sequence[tuple[bytes, bytes]]) -> Headers:
        """The end-to-end fields of an answer: lower-case names, latin-1 values. The parser has refused what is not a field."""
        fields = []
        options = b""
        for raw_name, value in raw:
            name = self._shown.get(raw_name)
            if name is None:
                name = self._learn(raw_name)
            if name:
                fields.append((name, value.strip().decode("latin-1")))
            elif len(raw_name) == 10 and raw_name.lower() == b"connection":
                options += b"," + value.lower()
        return tuple(_drop_named(fields, options) if options else fields)

    def _learn(self, raw_name: bytes) -> str:
        """The name as clients see it; nothing if it is not for them."""
        if len(self._shown) >= NAMES:
            self._shown.clear()
        name = raw_name.decode("latin-1").lower()
        self._shown[raw_name] = shown = "" if name in self._hidden else name
        return shown


def _drop_named(fields: list[tuple[str, str]], options: bytes) -> list[tuple[str, str]]:
    """Without those that Connection names: they were for this hop."""
    named = {option.strip() for option in options.decode("latin-1").split(",")}
    return [field for field in fields if field[0] not in named]
