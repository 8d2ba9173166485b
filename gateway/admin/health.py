"""What the gateway says about its own state, as values."""

from collections.abc import Callable, Mapping

Checks = Mapping[str, Callable[[], bool]]
"""Names of conditions and how to ask for each; all must hold."""


def judge(checks: Checks, verbose: bool) -> tuple[bool, str]:
    """Whether all checks hold, and the text to say: `ok`, or the names of those that do not; all of them if `verbose`."""
    states = {name: check() for name, check in checks.items()}
    good = all(states.values())
    lines = [f"[{'+' if state else '-'}] {name}" for name, state in states.items() if verbose or not state]
    lines.append("ok" if good else "not ok")
    return good, "\n".join(lines) + "\n"
