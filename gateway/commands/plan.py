"""`gateway plan`: what a batch would do, without a server and without sending anything."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from typing import Any

from gateway.batch.plan import make_plan
from gateway.client.refused import GatewayRefused
from gateway.commands.configuration import STANDARD_INPUT, add_config_option, load_named
from gateway.commands.refusal import explain
from gateway.commands.run import UnusableEnvelope, read_envelope
from gateway.commands.screen import Colour, Screen, look_at, printable, show
from gateway.config.problems import ConfigurationError
from gateway.config.settings import Settings
from gateway.dialects.dialect import Asked
from gateway.dialects.native_plan import spell_plan
from gateway.dialects.problem import encode_refusal
from gateway.dialects.registry import DIALECTS
from gateway.errors import Refusal
from gateway.server.body import check_size

EPILOG = """\
examples:
  gateway plan batch.json --config gateway.yaml
  gateway plan - --config gateway.yaml --json < batch.json

Looks at routes and limits of the configuration, starts nothing and connects to
nothing. Operations of one stage wait for none of each other; each is sent as
soon as those it waits for have ended, whatever its stage.

exit status: 0 the batch would run; 1 it would be refused, or the configuration
has problems; 2 usage"""

_REFUSED = 1
_USAGE = 2
_TIGHT = 0.8
"""Share of a limit from which it is worth a look."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command to `parser`."""
    parser.epilog = EPILOG
    parser.add_argument("envelope", metavar="ENVELOPE.json", help="the batch to plan; - reads it from standard input")
    add_config_option(parser)
    parser.add_argument("--json", action="store_true", help="print the plan as POST /batch/plan answers it")


def main(arguments: argparse.Namespace) -> int:
    """0 for a batch that would run; 1 for one that would be refused; 2 for an envelope that cannot be read."""
    if arguments.envelope == arguments.config == STANDARD_INPUT:
        show(["gateway plan: standard input can be the batch or the configuration, not both"], sys.stderr)
        return _USAGE
    try:
        settings = load_named(arguments.config)
        body, _ = read_envelope(arguments.envelope)
    except ConfigurationError as error:
        show([str(error)], sys.stderr)
        return _REFUSED
    except UnusableEnvelope as error:
        show([f"gateway plan: {error}"], sys.stderr)
        return _USAGE
    try:
        plan = plan_batch(body, settings)
    except Refusal as refusal:
        _tell(refusal, arguments, body)
        return _REFUSED
    show([json.dumps(plan, ensure_ascii=False)] if arguments.json else draw(plan, look_at(sys.stdout)), sys.stdout)
    return 0


def plan_batch(body: bytes, settings: Settings) -> dict[str, Any]:
    """The plan as the native dialect spells it. Raises the Refusal that the batch would get."""
    rules = settings.make_rules()
    check_size(len(body), rules.limits.body)
    envelope = DIALECTS["/batch"].decode(Asked(body), rules)
    return spell_plan(make_plan(envelope, settings.route_table(), rules.limits), rules.limits, len(body))


def _tell(refusal: Refusal, arguments: argparse.Namespace, body: bytes) -> None:
    problem = json.loads(encode_refusal(refusal, "").body)
    del problem["instance"]  # there was no request
    if arguments.json:
        show([json.dumps(problem, ensure_ascii=False)], sys.stdout)
        return
    name = "stdin" if arguments.envelope == STANDARD_INPUT else arguments.envelope
    refused = GatewayRefused(refusal.status, problem)
    show(explain(refused, name, body.decode("utf-8-sig", "replace"), look_at(sys.stderr)), sys.stderr)


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    """One operation on the screen."""

    name: str
    asked: str
    upstream: str
    waits: str


def draw(plan: dict[str, Any], screen: Screen) -> list[str]:
    """The operations by stage, those of one stage in the order asked; then what is used of the limits."""
    stages: dict[int, list[_Row]] = {}
    for operation in _flatten(plan["operations"]):
        stages.setdefault(operation["stage"], []).append(_row(operation))
    rows = [row for found in stages.values() for row in found]
    widths = [_width([row.name for row in rows], screen.width // 4), _width([row.upstream for row in rows], screen.width // 5)]
    lines: list[str] = []
    for stage in sorted(stages):
        lines.append(screen.paint(f"stage {stage}", Colour.STRONG))
        lines += [line for row in stages[stage] for line in _draw_row(row, widths, screen)]
    return [*lines, "", *_draw_limits(plan["limits"], screen)]


def _flatten(operations: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for operation in operations:
        yield operation
        yield from _flatten(operation.get("requests", []))


def _row(operation: dict[str, Any]) -> _Row:
    waits = [f"needs {', '.join(operation['dependsOn'])}"] if operation["dependsOn"] else []
    waits += [f"after {', '.join(operation['after'])}"] if operation["after"] else []
    waits += [f"for each of {operation['forEach']}"] if "forEach" in operation else []
    asked = f"{operation['method']} {operation['path']}"
    return _Row(operation.get("name") or operation["pointer"], asked, operation["upstream"], "; ".join(waits))


def _draw_row(row: _Row, widths: list[int], screen: Screen) -> Iterator[str]:
    name, upstream = screen.fit(row.name, widths[0]), screen.fit(row.upstream, widths[1])
    room = max(8, screen.width - sum(widths) - len("    " * 2))
    yield f"  {name}  {screen.paint(upstream, Colour.FAINT)}  {screen.fit(row.asked, room)}".rstrip()
    if row.waits:
        waits = screen.fit(row.waits, screen.width - widths[0] - len("    ")).rstrip()
        yield f"  {' ' * widths[0]}  {screen.paint(waits, Colour.FAINT)}"


def _draw_limits(limits: dict[str, dict[str, int]], screen: Screen) -> Iterator[str]:
    yield screen.paint("limits", Colour.STRONG)
    width = max(map(len, limits))
    for name, use in limits.items():
        line = f"  {name.ljust(width)}  {use['used']} of {use['max']}"
        tight = name != "timeout" and use["used"] > use["max"] * _TIGHT
        yield screen.paint(line, Colour.HALF) if tight else line


def _width(cells: list[str], most: int) -> int:
    return min(max((len(printable(cell)) for cell in cells), default=0), most)
