"""`gateway run`: send a batch to a gateway and draw what became of it."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from gateway.client import BatchAnswer, GatewayClient, GatewayRefused, GatewayUnreachable
from gateway.client.timeline import lay_out
from gateway.commands.pointer import place_of
from gateway.commands.refusal import explain
from gateway.commands.screen import look_at, show
from gateway.commands.waterfall import draw
from gateway.config.problems import Wrong
from gateway.config.units import parse_duration

EPILOG = """\
examples:
  gateway run batch.json
  gateway run batch.json --url https://api.example.org/batch \\
      --header 'authorization: Bearer TOKEN'
  echo '{"requests": [{"path": "/users/42"}]}' | gateway run - --json

exit status: 0 all operations succeeded; 1 some failed, or the batch was refused,
or there was no answer; 2 usage"""

DEFAULT_URL = "http://127.0.0.1:8080/batch"
_FAILED = 1
_USAGE = 2


class UnusableEnvelope(Exception):
    """The envelope cannot be sent. The message says which file, where in it, and why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command to `parser`."""
    parser.epilog = EPILOG
    parser.add_argument("envelope", metavar="ENVELOPE.json", help="the batch to send; - reads it from standard input")
    parser.add_argument("--url", default=DEFAULT_URL, help="the gateway's batch route (default: %(default)s)")
    parser.add_argument(
        "--header",
        dest="headers",
        metavar="'NAME: VALUE'",
        action="append",
        type=read_header,
        default=[],
        help="a header of the request to the gateway; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print the gateway's answer as it came, and draw nothing")
    parser.add_argument(
        "--timeout", metavar="TIME", type=read_timeout, default=60.0, help="how long to wait, such as 2s (default: 1m)"
    )


def main(arguments: argparse.Namespace) -> int:
    """0 if every operation succeeded; 1 if not, or without an answer; 2 for an envelope that cannot be read."""
    try:
        body, envelope = read_envelope(arguments.envelope)
    except UnusableEnvelope as error:
        show([f"gateway run: {error}"], sys.stderr)
        return _USAGE
    try:
        answer = asyncio.run(_send(arguments, body))
    except GatewayRefused as refused:
        if arguments.json:
            show([json.dumps(refused.problem, ensure_ascii=False)], sys.stdout)
        else:
            name = "stdin" if arguments.envelope == "-" else arguments.envelope
            show(explain(refused, name, body.decode("utf-8-sig", "replace"), look_at(sys.stderr)), sys.stderr)
        return _FAILED
    except GatewayUnreachable as error:
        show([f"gateway run: {error}; {_advice(arguments)}"], sys.stderr)
        return _FAILED
    show([answer.text] if arguments.json else picture(envelope, answer), sys.stdout)
    return int(answer.failed > 0 or answer.status != 200)


def picture(envelope: Any, answer: BatchAnswer) -> list[str]:
    """The waterfall of `answer` as standard output can show it."""
    return draw(lay_out(envelope, answer), answer, look_at(sys.stdout))


def read_envelope(name: str) -> tuple[bytes, Any]:
    """The file's bytes, which are what is sent, and what they say. `-` is standard input."""
    shown = "stdin" if name == "-" else name
    try:
        body = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UnusableEnvelope(f"cannot read {shown}: {error.strerror}") from None
    try:
        envelope = json.loads(body.decode())
    except UnicodeDecodeError as error:
        raise UnusableEnvelope(f"{shown} is not UTF-8: byte {error.start} cannot be read") from None
    except json.JSONDecodeError as error:
        place = place_of(error.doc, error.pos)
        raise UnusableEnvelope(f"{shown}:{place.line}:{place.column}: not JSON: {error.msg}") from None
    except RecursionError:
        raise UnusableEnvelope(f"{shown} is nested too deeply") from None
    return body, envelope


def read_header(text: str) -> tuple[str, str]:
    """`name: value` as a pair, for argparse."""
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or not (name.strip() + value).isprintable():
        raise argparse.ArgumentTypeError(f"write 'NAME: VALUE', got {text!r}")
    return name.strip().lower(), value.strip()


def read_timeout(text: str) -> float:
    """Seconds from `2s`, `250ms`, `1m` or a number of seconds, for argparse."""
    try:
        seconds = parse_duration(float(text) if text.replace(".", "", 1).isdecimal() else text)
    except Wrong as error:
        raise argparse.ArgumentTypeError(f"{error.message}, got {text!r}") from None
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"must be positive, got {text!r}")
    return seconds


async def _send(arguments: argparse.Namespace, body: bytes) -> BatchAnswer:
    async with GatewayClient(arguments.url, dict(arguments.headers), arguments.timeout) as gateway:
        return await gateway.batch(body)


def _advice(arguments: argparse.Namespace) -> str:
    if arguments.url == DEFAULT_URL:
        return "start a gateway (`gateway demo`, or `gateway serve --config FILE`) or name one with --url"
    return "is a gateway running there? --url names another"
