"""The verb: its arguments, and one function for each thing there is to do."""

import argparse
import asyncio
import hashlib
import json
import os
import re
import secrets
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gateway.commands.jobs.asking import CannotAsk, Operator
from gateway.commands.jobs.drawing import WIDE, draw_callbacks, draw_job, draw_jobs, draw_progress
from gateway.commands.screen import Screen, look_at, show
from gateway.config.problems import Wrong
from gateway.config.scalars import resolve

EPILOG = """\
examples:
  gateway jobs list --state in_progress
  gateway jobs show job_0199c2d2e8f97a53b2c4d1e6f7a80912 --follow
  gateway jobs results batch_0199c2d2e8f97a53b2c4d1e6f7a80912 > results.jsonl
  gateway jobs callbacks                 the ones that were given up
  gateway jobs redeliver --dead          make all of those again
  gateway jobs key --client acme

It asks the operators' port of a running gateway (--admin URL).
exit status: 0 it worked, and a job that was followed has completed; 1 it did
not; 2 the command line was wrong"""

DEFAULT_ADMIN = "http://127.0.0.1:9090"
_LOOK = 0.5
_STATES = ("validating", "in_progress", "finalizing", "completed", "failed", "cancelling", "cancelled", "expired")
_FINAL = frozenset({"completed", "failed", "cancelled", "expired"})

Action = Callable[[argparse.Namespace, Operator], Awaitable[int]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command to `parser`."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(title="what to do", metavar="ACTION", dest="action", required=True)

    def add(name: str, summary: str, act: Action) -> argparse.ArgumentParser:
        action = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        action.set_defaults(act=act)
        action.add_argument(
            "--admin", metavar="URL", default=DEFAULT_ADMIN, help="the gateway's operators' port (default: %(default)s)"
        )
        return action

    listing = add("list", "show the jobs of all clients, the newest first", _list)
    listing.add_argument("--state", choices=_STATES, help="only those in this state")
    listing.add_argument("--kind", choices=("openai", "ivvy", "native"), help="only those of this dialect")
    listing.add_argument("--tenant", metavar="NAME", help="only those of this client")
    listing.add_argument("--limit", metavar="N", default="50", help="at most so many (default: %(default)s)")
    showing = add("show", "show one job", _show)
    showing.add_argument("--follow", action="store_true", help="draw its progress until it has ended")
    cancelling = add("cancel", "have a job end", _cancel)
    results = add("results", "print the results of a job that has ended", _results)
    results.add_argument("--errors", action="store_true", help="the lines that failed, where they are a file of their own")
    results.add_argument("--output", metavar="FILE", type=Path, help="write them there")
    callbacks = add("callbacks", "show the callbacks that were given up", _callbacks)
    callbacks.add_argument("--state", choices=("pending", "delivered", "dead", "any"), default="dead", help="or others")
    redelivering = add("redeliver", "make callbacks again, under the ids they had", _redeliver)
    redelivering.add_argument("ids", metavar="ID", nargs="*", type=_read_id, help="of a callback, or of its job")
    redelivering.add_argument("--dead", action="store_true", help="all that were given up")
    for one in (showing, cancelling, results):
        one.add_argument("id", metavar="ID", type=_read_id, help="the job's id")
    for one in (listing, showing, callbacks):
        one.add_argument("--json", action="store_true", help="print what the gateway says, and draw nothing")
    making = actions.add_parser("key", help="make an API key for a client", description="Make an API key for a client.")
    making.add_argument(
        "--client", metavar="NAME", type=_read_name, default="acme", help="its name in the configuration (default: %(default)s)"
    )


def _read_id(text: str) -> str:
    """An id, for argparse. Nothing and dots would name another page than a job's."""
    if not text.strip(". "):
        raise argparse.ArgumentTypeError(f"must be an id, as gateway jobs list shows them, got {text!r}")
    return text


def _read_name(text: str) -> str:
    """A client's name that the configuration takes, for argparse."""
    from gateway.config.settings import NAME_PATTERN  # noqa: PLC0415 - all settings are read for it, and only keys need it

    if not re.fullmatch(NAME_PATTERN, text):
        wanted = "lower-case letters, digits, - and _, at most 63, a letter first"
        raise argparse.ArgumentTypeError(f"must be {wanted}, got {text!r}")
    return text


def main(arguments: argparse.Namespace) -> int:
    """0, or 1 if the gateway cannot be asked or refuses; 2 if there is nothing to do."""
    if arguments.action == "key":
        return _make_key(arguments.client)
    if arguments.action == "redeliver" and not arguments.ids and not arguments.dead:
        show(["gateway jobs redeliver: say which: ids of callbacks or of jobs, or --dead"], sys.stderr)
        return 2
    try:
        return asyncio.run(_act(arguments))
    except CannotAsk as error:
        show([f"gateway jobs {arguments.action}: {error}"], sys.stderr)
        return 1
    except OSError as error:
        if error.filename is None:  # standard output, as with any verb
            raise
        show([f"gateway jobs {arguments.action}: cannot write {error.filename}: {error.strerror}"], sys.stderr)
        return 1


async def _act(arguments: argparse.Namespace) -> int:
    async with Operator(arguments.admin) as operator:
        status: int = await arguments.act(arguments, operator)
        return status


def _print(arguments: argparse.Namespace, answer: Any, draw: Callable[[Any, Screen], list[str]]) -> None:
    screen = look_at(sys.stdout)
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        screen = Screen(WIDE, screen.colour, screen.unicode)  # for grep and less: a job a line
    show([json.dumps(answer, ensure_ascii=False)] if arguments.json else draw(answer, screen), sys.stdout)


async def _list(arguments: argparse.Namespace, operator: Operator) -> int:
    query = {name: getattr(arguments, name) for name in ("state", "kind", "tenant", "limit")}
    _print(arguments, await operator.get("/jobs", query), draw_jobs)
    return 0


async def _show(arguments: argparse.Namespace, operator: Operator) -> int:
    path = f"/jobs/{quote(arguments.id, safe='')}"
    job = await operator.get(path)
    if not arguments.follow:
        _print(arguments, job, draw_job)
        return 0
    drawn = ""
    redraws = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not arguments.json
    while job["state"] not in _FINAL:
        if not arguments.json:
            drawn = _draw_again(drawn, draw_progress(job, look_at(sys.stdout)), redraws)
        await asyncio.sleep(_LOOK)
        job = await operator.get(path)
    if redraws and drawn:
        sys.stdout.write("\r\x1b[K")
    _print(arguments, job, draw_job)
    return 0 if job["state"] == "completed" else 1


def _draw_again(drawn: str, line: str, redraws: bool) -> str:
    """Show the line if it is news: in place of the last one, or below it where lines cannot be taken back."""
    if line != drawn:
        if redraws:
            sys.stdout.write(f"\r\x1b[K{line}")
            sys.stdout.flush()
        else:
            show([line], sys.stdout)
    return line


async def _cancel(arguments: argparse.Namespace, operator: Operator) -> int:
    job = await operator.post(f"/jobs/{quote(arguments.id, safe='')}/cancel")
    show([f"{job['id']} is {job['state']}"], sys.stdout)
    return 0


async def _results(arguments: argparse.Namespace, operator: Operator) -> int:
    path = f"/jobs/{quote(arguments.id, safe='')}/results{'?errors' if arguments.errors else ''}"
    pieces = operator.stream(path)
    if arguments.output is None:
        async for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return 0
    size = 0
    first = await anext(pieces, b"")  # whether there are results is known before a file is touched
    with arguments.output.open("wb") as file:
        file.write(first)
        size += len(first)
        async for piece in pieces:
            file.write(piece)
            size += len(piece)
    show([f"{arguments.output}: {size} bytes"], sys.stdout)
    return 0


async def _callbacks(arguments: argparse.Namespace, operator: Operator) -> int:
    state = None if arguments.state == "any" else arguments.state
    _print(arguments, await operator.get("/callbacks", {"state": state, "limit": "1000"}), draw_callbacks)
    return 0


async def _redeliver(arguments: argparse.Namespace, operator: Operator) -> int:
    ids = [one if one.startswith("msg_") else f"msg_{one}" for one in arguments.ids]
    if arguments.dead:
        dead = await operator.get("/callbacks", {"state": "dead", "limit": "1000"})
        ids += [callback["id"] for callback in dead["callbacks"] if callback["id"] not in ids]
    for one in ids:
        callback = await operator.post(f"/callbacks/{quote(one, safe='')}/redeliver")
        show([f"{one} is due now, to {callback['url']}"], sys.stdout)
    if not ids:
        show(["no callback was given up"], sys.stdout)
    return 0


def _make_key(client: str) -> int:
    key = f"gw_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    lines = [
        "for the client, and not kept anywhere:",
        f"  {key}",
        "for the configuration:",
        "  clients:",
        f"    {_spell_name(client)}:",
        f'      keys: ["sha256:{digest}"]',
    ]
    show(lines, sys.stdout)
    return 0


def _spell_name(name: str) -> str:
    """As YAML reads it: `no` is text only in quotes."""
    try:
        is_text = resolve(name) == name
    except Wrong:
        is_text = False
    return name if is_text else f'"{name}"'
