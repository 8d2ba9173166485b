"""The supervisor: keeps the port, the operators' pages and the workers, and ends them all together."""

from functools import partial

from gateway.app.app import GOODBYE
from gateway.app.listening import Addresses, listen, spell_url
from gateway.commands.announcing import announce
from gateway.commands.ending import Ending, follow_signals, run_unless
from gateway.commands.workers.crew import Crew
from gateway.commands.workers.operators import Operators
from gateway.commands.workers.ports import KeptPort
from gateway.commands.workers.process import FAREWELL, start_worker
from gateway.config.settings import Settings
from gateway.logs import Logs

_MARGIN = 5.0
"""Seconds for what is not in a drain's own times."""

_AT_ONCE = 0.5
"""Seconds that workers have to end when somebody is in a hurry."""


async def supervise(settings: Settings, count: int, turn: int, logs: Logs) -> int:
    """Serve with `count` workers until a signal ends it; the exit status. Raises CannotListen or NeverListened."""
    ending = Ending()
    follow_signals(ending, logs)
    with KeptPort(settings.server) as port:
        server = settings.server.model_copy(update={"port": port.number})
        job = settings.model_copy(update={"server": server})
        farewell = FAREWELL
        crew = Crew(count, partial(start_worker, settings=job, turn=turn), logs)
        edge = Operators(crew, logs).make_edge(server.name)
        try:
            admin = await listen("admin", edge.listen, settings.admin)
            if not await run_unless(ending.stop, crew.start()):
                return 0
            announce(Addresses(spell_url(server.host, port.number), admin), logs, workers=count)
            await ending.stop.wait()
            logs.info("draining", drain_delay=server.drain_delay, shutdown_timeout=server.shutdown_timeout)
            patience = server.drain_delay + server.shutdown_timeout + 2 * GOODBYE + _MARGIN
            if not await run_unless(ending.hurry, crew.drain(patience)):
                logs.warning("stopping-at-once")
                farewell = _AT_ONCE
                return 1
            return 0 if crew.has_ended_well else 1
        finally:
            await crew.close(farewell)
            await edge.close()
            logs.info("stopped")
