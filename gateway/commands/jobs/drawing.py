"""Jobs drawn for people: a table with bars, one job with all there is to say, a line that grows.

job_0199…  in_progress  ████████░░░░  130/200  2 failed  4 min  acme  native
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.commands.screen import Colour, Screen, columns_of, printable

WIDE = 110
"""Columns from which a job has its whole row on one line."""

_BAR = 12
_PROBLEMS = 10
_GOOD = {"completed": Colour.GOOD, "delivered": Colour.GOOD}
_BAD = {"failed": Colour.BAD, "expired": Colour.BAD, "cancelled": Colour.HALF, "dead": Colour.BAD, "cancelling": Colour.HALF}
_STEPS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"))

Row = Mapping[str, Any]


def draw_jobs(answer: Row, screen: Screen) -> list[str]:
    """A row for each job, the newest first; two lines on a narrow screen, so that no id is ever cut."""
    jobs: Sequence[Row] = answer["jobs"]
    if not jobs:
        return ["no jobs"]
    rows = [_row(job, answer["now"], screen) for job in jobs]
    if screen.width >= WIDE:
        return _align([("ID", "STATE", "PROGRESS", "LINES", "FAILED", "AGE", "TENANT", "KIND"), *rows], screen)
    lines = []
    for job_id, state, bar, count, failed, age, tenant, kind in rows:
        lines.append(f"{job_id}  {state}")
        told = [count, f"{failed} failed" if failed else "", age, tenant, kind]
        lines.append(f"  {bar}  " + ", ".join([one for one in told if one]))
    return lines


def _row(job: Row, now: str, screen: Screen) -> tuple[str, ...]:
    counts = job["counts"]
    failed = screen.paint(str(counts["failed"]), Colour.BAD) if counts["failed"] else ""
    age = spell_age(_seconds(job["createdAt"], now))
    done = counts["succeeded"] + counts["failed"]
    return (
        printable(job["id"]),
        _paint_state(job["state"], screen),
        draw_bar(counts, _BAR, screen),
        f"{done}/{counts['total']}",
        failed,
        age,
        printable(job["tenant"]),
        job["kind"],
    )


def draw_job(job: Row, screen: Screen) -> list[str]:
    """All there is to say about one job."""
    now = job["now"]
    lines = [f"{printable(job['id'])}  {job['kind']}, {printable(job['tenant'])}", draw_progress(job, screen), ""]
    for title, key in (("created", "createdAt"), ("started", "startedAt"), ("ended", "endedAt")):
        if key in job:
            lines.append(f"{title:<12}{_spell_time(job[key])}, {spell_age(_seconds(job[key], now))} ago")
    if "endedAt" not in job:
        left = _seconds(now, job["expiresAt"])
        lines.append(f"{'expires':<12}{_spell_time(job['expiresAt'])}, in {spell_age(left)}")
    elif "keptUntil" in job:
        lines.append(f"{'kept until':<12}{_spell_time(job['keptUntil'])}")
    for callback in job["callbacks"]:
        lines.append(f"{'callback':<12}{_tell_callback(callback, screen)}")
    problems = job.get("errors", [])
    for problem in problems[:_PROBLEMS]:
        where = f"{problem['pointer']}: " if problem.get("pointer") else ""
        lines.append(screen.paint(printable(f"{where}{problem['reason']}: {problem['detail']}"), Colour.BAD))
    if len(problems) > _PROBLEMS:
        lines.append(f"… and {len(problems) - _PROBLEMS} more" if screen.unicode else f"and {len(problems) - _PROBLEMS} more")
    lines += _advise(job)
    return lines


def _advise(job: Row) -> list[str]:
    told = []
    if job["hasResults"]:
        told.append(f"results:  gateway jobs results {printable(job['id'])}")
    if job["hasErrors"]:
        told.append(f"errors:   gateway jobs results {printable(job['id'])} --errors")
    if any(callback["state"] == "dead" for callback in job["callbacks"]):
        told.append(f"call back again:  gateway jobs redeliver {printable(job['id'])}")
    return ["", *told] if told else []


def draw_progress(job: Row, screen: Screen) -> str:
    """One line that fits the screen: state, bar, counts."""
    counts = job["counts"]
    done = counts["succeeded"] + counts["failed"]
    told = f"{done} of {counts['total']}" + (f", {counts['failed']} failed" if counts["failed"] else "")
    room = screen.width - len(job["state"]) - len(told) - 5
    bar = f"{draw_bar(counts, min(40, room), screen)}  " if room >= 4 else ""
    return f"{_paint_state(job['state'], screen)}  {bar}{told}"


def draw_bar(counts: Mapping[str, int], width: int, screen: Screen) -> str:
    """What succeeded, what failed, and what is left, of `total`. Whatever there is of something has a column at least."""
    good, bad, left = ("█", "▓", "░") if screen.unicode else ("#", "x", ".")
    total = max(counts["total"], 1)
    failed = -(-counts["failed"] * width // total)
    succeeded = min(counts["succeeded"] * width // total, width - failed)
    rest = width - failed - succeeded
    if not rest and counts["succeeded"] + counts["failed"] < counts["total"]:
        rest, succeeded = 1, max(0, succeeded - 1)
    return (
        screen.paint(good * succeeded, Colour.GOOD)
        + screen.paint(bad * (width - succeeded - rest), Colour.BAD)
        + screen.paint(left * rest, Colour.FAINT)
    )


def draw_callbacks(answer: Row, screen: Screen) -> list[str]:
    """Callbacks, oldest first, each with what became of it."""
    callbacks: Sequence[Row] = answer["callbacks"]
    if not callbacks:
        return ["no callbacks"]
    lines = []
    for callback in callbacks:
        age = spell_age(_seconds(callback["createdAt"], answer["now"]))
        lines.append(f"{printable(callback['id'])}  {printable(callback['tenant'])}, {age}")
        lines.append(f"  {_tell_callback(callback, screen)}")
    return lines


def _tell_callback(callback: Row, screen: Screen) -> str:
    attempts = callback["attempts"]
    last = callback["lastError"] or (f"answered {callback['lastStatus']}" if callback["lastStatus"] else "")
    told = f" after {attempts} attempt{'' if attempts == 1 else 's'}" if attempts else ""
    state = _paint_state(callback["state"], screen)
    return f"{printable(callback['url'])}  {state}{told}" + (f": {printable(last)}" if last else "")


def _paint_state(state: str, screen: Screen) -> str:
    colour = _GOOD.get(state) or _BAD.get(state)
    return screen.paint(state, colour) if colour else state


def _seconds(since: str, until: str) -> float:
    return max(0.0, (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())


def _spell_time(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")


def spell_age(seconds: float) -> str:
    """The largest unit that fits: `12 s`, `4 min`, `3 h`, `2 d`."""
    for size, unit in _STEPS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _align(rows: list[tuple[str, ...]], screen: Screen) -> list[str]:
    """Columns as wide as their longest cell; those in which nothing stands but a title are left out."""
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(_columns_of(cell) for cell in column) for column in columns]
    lines = []
    for index, cells in enumerate(zip(*columns, strict=True)):
        line = "  ".join([cell + " " * (width - _columns_of(cell)) for cell, width in zip(cells, widths, strict=True)])
        lines.append(screen.paint(line.rstrip(), Colour.FAINT) if index == 0 else line.rstrip())
    return lines


def _columns_of(cell: str) -> int:
    """Columns of a cell, colours left out."""
    shown = cell
    while "\x1b[" in shown:
        before, _, after = shown.partition("\x1b[")
        shown = before + after.partition("m")[2]
    return columns_of(shown)
