"""How many files, sockets above all, the process may have open."""

import resource

from gateway.config.settings import Settings
from gateway.logs import Logs

_OWN = 64
"""Listeners, the log, libraries, name look-ups."""

_ENOUGH = 1 << 20
"""Where the hard limit is endless."""


def allow_files(settings: Settings, logs: Logs) -> None:
    """Raise the soft limit (`ulimit -n`) to the hard one if the configured connections need that, and say so."""
    needed = _OWN + settings.limits.connections + sum(upstream.connections for upstream in settings.upstreams.values())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    allowed = max(needed, _ENOUGH) if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    logs.info("open-files", needed=needed, before=soft, now=allowed)
    if allowed < needed:
        detail = "limits.connections and upstreams.<name>.connections may need more files: raise the hard limit (ulimit -Hn)"
        logs.warning("open-files", needed=needed, now=allowed, detail=detail)
