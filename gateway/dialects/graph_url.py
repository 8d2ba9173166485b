"""The urls of a Graph batch: relative or below our own base, with or without the version prefix, all of them one path."""

import re
from dataclasses import dataclass

_ABSOLUTE = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?//([^/?#]*)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class BadUrl(ValueError):
    """The url does not lead here. The message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Base:
    """Where a batch was posted to.

    `prefix` is what stands in the path before `/$batch`, such as `/v1.0`, or nothing; `host` what clients call this gateway,
    with a port where it is not the scheme's. `keeps_version`: operations are sent with the prefix, else without it.
    """

    prefix: str = ""
    host: str = ""
    keeps_version: bool = False

    def read(self, url: str) -> str:
        """The path and query that `url` means, without the prefix. BadUrl if it is somewhere else's."""
        if "//" in url and (absolute := _ABSOLUTE.match(url)) is not None:
            self._check_ours(absolute[1] or "", absolute[2])
            url = url[absolute.end() :]
        elif _SCHEME.match(url):  # no relative url starts with a segment like that (RFC 3986 section 4.2)
            raise BadUrl("the url has a scheme and no host; start it with '/' if that is a path")
        path = url if url[:1] == "/" else f"/{url}"
        prefix = self.prefix
        if prefix and path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/", "?"):
            path = path[len(prefix) :]
            return path if path[:1] == "/" else f"/{path}"
        return path

    def extend(self, path: str) -> str:
        """A path as `read` gives it, as it is to be sent."""
        return f"{self.prefix}{path}" if self.keeps_version else path

    def _check_ours(self, scheme: str, authority: str) -> None:
        # Either scheme: who ends TLS before the gateway need not be a proxy that it trusts.
        ours = scheme.lower() in _DEFAULT_PORTS and self.host
        port = _DEFAULT_PORTS.get(scheme.lower(), "")
        if not ours or authority.lower().removesuffix(port) != self.host.lower().removesuffix(port):
            detail = f"below {self.host}{self.prefix}" if self.host else "relative"
            raise BadUrl(f"the url leads to another host; it must be {detail}")
