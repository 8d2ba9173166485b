import asyncio

import pytest
from aiohttp import web

from gateway.server.connection import Clients, Connection, Phase
from gateway.server.settings import Patience

PATIENCE = Patience(header_timeout=10.0, write_timeout=30.0)


class Wire(asyncio.Transport):
    """A transport that holds as many unsent bytes as it is told."""

    unsent = 0

    def get_write_buffer_size(self) -> int:
        return self.unsent


async def never(request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError("no request was sent")


def connection(phase: Phase, since: float = 0.0) -> tuple[Connection, Wire]:
    wire = Wire()
    made = Connection(Clients(never, lambda request, status: web.Response(), PATIENCE), asyncio.get_running_loop())
    made.wire, made.phase, made.since = wire, phase, since
    return made, wire


@pytest.mark.parametrize(
    ("phase", "overdue"), [(Phase.SILENT, True), (Phase.HEAD, True), (Phase.SERVING, False), (Phase.IDLE, False)]
)
async def test_only_a_head_is_waited_for(phase: Phase, overdue: bool) -> None:
    waiting, _ = connection(phase, since=100.0)
    assert not waiting.is_overdue(110.0, PATIENCE)
    assert waiting.is_overdue(110.1, PATIENCE) is overdue


async def test_answer_that_stands_still_is_overdue() -> None:
    stalled, wire = connection(Phase.SERVING)
    wire.unsent = 1000
    assert [stalled.is_overdue(now, PATIENCE) for now in (0.0, 30.0, 30.1)] == [False, False, True]


async def test_answer_that_moves_is_not_overdue() -> None:
    moving, wire = connection(Phase.SERVING)
    seen = []
    for now in range(0, 100, 20):
        wire.unsent = 1000 - now
        seen.append(moving.is_overdue(float(now), PATIENCE))
    assert seen == [False] * 5


async def test_more_to_send_is_no_progress() -> None:
    growing, wire = connection(Phase.SERVING)
    seen = []
    for now in range(0, 60, 20):
        wire.unsent = 1000 + now
        seen.append(growing.is_overdue(float(now), PATIENCE))
    assert seen == [False, False, True]


async def test_connection_that_was_lost_is_not_overdue() -> None:
    lost, _ = connection(Phase.SILENT)
    lost.wire = None
    assert not lost.is_overdue(1000.0, PATIENCE)


@pytest.mark.parametrize(
    ("patience", "interval"),
    [(Patience(), 1.0), (Patience(header_timeout=0.2), 0.05), (Patience(write_timeout=0.4), 0.1)],
)
def test_watchdog_looks_often_enough(patience: Patience, interval: float) -> None:
    assert patience.sweep_interval == interval
