"""Tasks of one kind that are due: jobs take turns."""

from collections import Counter, OrderedDict, deque

from gateway.jobs.ports import Task


class Lane:
    """At most `places` tasks are taken at one time. One job never has the last place, if there is more than one."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._for_one_job = max(1, places - 1)
        self._turns: OrderedDict[str, deque[Task]] = OrderedDict()
        self._taken: Counter[str] = Counter()

    def add(self, task: Task) -> None:
        """Let it wait for its job's turn."""
        self._turns.setdefault(_job_of(task), deque()).append(task)

    def take(self) -> Task | None:
        """The next one, which is `give_back`'s to end; None if there is no place for any."""
        if self._taken.total() >= self._places:
            return None
        job = next((job for job in self._turns if self._taken[job] < self._for_one_job), None)
        if job is None:
            return None
        self._taken[job] += 1
        tasks = self._turns[job]
        task = tasks.popleft()
        if tasks:
            self._turns.move_to_end(job)
        else:
            del self._turns[job]
        return task

    def give_back(self, task: Task) -> None:
        """The task has ended; its place is free."""
        job = _job_of(task)
        self._taken[job] -= 1
        if not self._taken[job]:
            del self._taken[job]


def _job_of(task: Task) -> str:
    return task.key.partition("/")[0]
