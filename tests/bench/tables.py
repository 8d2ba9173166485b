"""Figures to lines of text, at most 100 columns wide. Every number stands below or beside its unit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from tests.bench.comparison import Ratio, Run, Runs, take_ratio
from tests.bench.dialects import Spoken
from tests.bench.in_flight import UPSTREAMS, Flood
from tests.bench.jobs import LIVE, JobFigures
from tests.bench.parts import Parts, Reference
from tests.bench.peers import Server
from tests.bench.points import Point

ENOUGH = 0.85
"""A server that used less of its CPU than this had been waiting for the load or the upstream."""


def show_comparison(
    servers: Sequence[Server], points: Sequence[Point], runs: Runs, figure: Callable[[Run], float]
) -> Iterator[str]:
    """One line per point: the median of each server's figure, and the first server's ratio to each of the others."""
    ours, *peers = servers
    yield f"{'':16}{ours.name:>9}" + "".join(f"{peer.name:>13}   ratio (low to high)" for peer in peers)
    for point in points:
        own = [figure(run) for run in runs[point.label, ours.name]]
        cells = [f"  {point.label:14}{median(own):9.1f}"]
        for peer in peers:
            theirs = [figure(run) for run in runs[point.label, peer.name]]
            ratio = take_ratio(own, theirs)
            cells.append(f"{median(theirs):13.1f}{ratio.median:8.2f} ({ratio.lowest:.2f} to {ratio.highest:.2f})")
        yield "".join(cells)


def show_waiting(runs: Runs) -> Iterator[str]:
    """Which servers had time to spare, so that their figures are for less than full load."""
    for (label, name), rounds in runs.items():
        busy = median(run.busy for run in rounds)
        if busy < ENOUGH:
            yield f"  {label}: {name} used {busy:.0%} of its CPU; the load or the upstream had no more for it"


def show_parts(measured: Sequence[tuple[str, Parts]]) -> Iterator[str]:
    """One line per kind of batch: microseconds, and how many times the parsing of the envelope's JSON that is."""
    names = Parts._fields[1:]
    yield f"{'':16}{'parse':>7}" + "".join(f"{name:>14}" for name in names)
    for label, parts in measured:
        costs = "".join(f"{f'{getattr(parts, name):.0f} ({getattr(parts, name) / parts.parse:.1f})':>14}" for name in names)
        yield f"  {label:14}{parts.parse:7.1f}{costs}"


def show_references(references: Sequence[Reference]) -> Iterator[str]:
    """One line per path."""
    for one in references:
        yield f"  {one.path:12} in {one.document:8}{one.find:6.1f} ({one.find / one.parse:.1f})"


def show_dialects(measured: Sequence[Spoken]) -> Iterator[str]:
    """One line per kind of operation: microseconds in the native dialect, and each other dialect's ratio to that."""
    for one in measured:
        ratios = "".join(f"   {name} {_spread(ratio)}" for name, ratio in one.others.items())
        yield f"  {one.label:14}{one.native:7.1f}{ratios}"


def show_streaming(ratios: Mapping[str, Ratio]) -> Iterator[str]:
    """One line per kind of batch."""
    for label, ratio in ratios.items():
        yield f"  {label:14}   streamed {_spread(ratio)}"


def _spread(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} ({ratio.lowest:.2f}-{ratio.highest:.2f})"


def show_memory(servers: Sequence[Server], idle: Sequence[float], peak: Sequence[float]) -> Iterator[str]:
    """One line per server."""
    for server, before, most in zip(servers, idle, peak, strict=True):
        yield f"  {server.name:14}{before:6.1f} idle{most:8.1f} at its peak"


def show_flood(flood: Flood) -> Iterator[str]:
    """What each wave did, and the memory."""
    yield f"{flood.operations} operations in flight at once over {UPSTREAMS} upstreams"
    for number, wave in enumerate(flood.waves, 1):
        reasons = "".join(f", {reason} {count}" for reason, count in wave.failed.most_common())
        yield f"  wave {number}: {wave.failed.total()} failed in {wave.seconds:.1f} s{reasons}"
    yield f"  memory of the gateway, MiB: {flood.idle:.1f} idle (VmRSS), {flood.peak:.1f} at its peak (VmHWM)"


def show_jobs(figures: JobFigures) -> Iterator[str]:
    """One line per figure."""
    upload, validation = figures.upload, figures.validation
    yield f"  taking in {figures.size >> 20} MiB: {upload.seconds:.1f} s, {upload.memory:.0f} MiB over idle"
    yield f"  validating {figures.lines} lines: {validation.seconds:.1f} s, {validation.memory:.0f} MiB over idle"
    share = _spread(take_ratio(figures.job_rates, figures.live_rates))
    rates = f"{median(figures.job_rates):.0f} and {median(figures.live_rates):.0f}"
    yield f"  sub-requests/s of a job alone and of live batches: {rates}, ratio {share}"
    slower = _spread(take_ratio(figures.p99_beside, figures.p99_alone))
    p99s = f"{median(figures.p99_beside) * 1e3:.1f} and {median(figures.p99_alone) * 1e3:.1f} ms"
    yield f"  p99 of a live batch of {LIVE} beside jobs and without: {p99s}, ratio {slower}"
