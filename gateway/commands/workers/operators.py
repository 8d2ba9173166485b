"""What the supervisor shows to operators: what its workers say, as one.

A worker that does not answer in time is shown as such; what it counted stays in the sums.
"""

from gateway.admin.edge import AdminEdge
from gateway.admin.health import States
from gateway.commands.workers.channel import Word
from gateway.commands.workers.crew import Crew
from gateway.logs import Logs
from gateway.metrics.merging import Families, keep_counts, merge
from gateway.metrics.supervision import Supervision, make_page


class Operators:
    """Asks a crew what operators want to know."""

    def __init__(self, crew: Crew, logs: Logs) -> None:
        self._crew = crew
        self._logs = logs

    def make_edge(self, name: str) -> AdminEdge:
        """The operators' pages; `name` for the Server header."""
        page = make_page(self.gather)
        return AdminEdge(name, page, live=self.look_alive, ready=self.look_ready, started=self.look_started)

    async def gather(self) -> Families:
        """Everybody's metrics as one."""
        slots = self._crew.slots
        answers = await self._crew.ask(Word.METRICS)
        supervision = Supervision(
            {str(slot.index): answer is not None for slot, answer in zip(slots, answers, strict=True)},
            {str(slot.index): slot.restarts for slot in slots},
            self._logs.dropped,
        )
        parts = [supervision.read()]
        for slot, answer in zip(slots, answers, strict=True):
            parts.append(slot.before)
            if answer is not None:
                parts.append(answer)
            elif slot.worker is not None:
                parts.append(keep_counts(slot.worker.metrics))
        return merge(parts)

    async def look_ready(self) -> States:
        """Whether batches may be sent here: all workers take them, and nothing drains."""
        states = {"not-draining": not self._crew.is_draining()}
        for slot, answer in zip(self._crew.slots, await self._crew.ask(Word.STATES), strict=True):
            if slot.worker is None:
                states[f"worker-{slot.index} runs"] = False
            elif answer is None:
                states[f"worker-{slot.index} answers"] = False
            else:
                states |= {f"worker-{slot.index} {name}": state for name, state in answer.items()}
        return states

    async def look_alive(self) -> States:
        """Whether a restart of everything would help: a worker is stuck. One that has ended is being replaced."""
        states = {"event-loop": True}
        for slot, answer in zip(self._crew.slots, await self._crew.ask(Word.STATES), strict=True):
            if slot.worker is not None and slot.worker.listening:
                states[f"worker-{slot.index} answers"] = answer is not None
        return states

    async def look_started(self) -> States:
        """Whether every worker has listened once."""
        return {f"worker-{slot.index} listened": slot.filled.is_set() for slot in self._crew.slots}
