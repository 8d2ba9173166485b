"""What the gateway says about its own state, as values."""

from collections.abc import Awaitable, Callable, Mapping

States = Mapping[str, bool]
"""Names of conditions, and whether each holds. All must."""

Look = Callable[[], Awaitable[States]]
"""How to find out. Takes less time than those who ask have patience: a second."""


def judge(states: States, verbose: bool) -> tuple[bool, str]:
    """Whether all hold, and the text to say: `ok`, or the names of those that do not; all of them if `verbose`."""
    good = all(states.values())
    lines = [f"[{'+' if state else '-'}] {name}" for name, state in states.items() if verbose or not state]
    lines.append("ok" if good else "not ok")
    return good, "\n".join(lines) + "\n"
