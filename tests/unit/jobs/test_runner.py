"""A file of lines from upload to results, with a real store."""

from pathlib import Path

from gateway.batch.job import State
from gateway.messages import Response
from tests.support.line_jobs import Upstream, house, running
from tests.support.plain_lines import line


async def test_a_file_of_lines_is_run_and_its_results_can_be_read(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.answer = lambda request: Response(404 if request.target.endswith("/3") else 200, (), b"")
    async with house(tmp_path, upstream, chunk_lines=2) as at, running(at):
        job = await at.submit([line(n, f"/users/{n}") for n in range(5)])
        ended = await at.ended(job.id)
        assert ended.state is State.COMPLETED
        assert (ended.lines, ended.chunks, ended.succeeded, ended.failed) == (5, 3, 4, 1)
        assert sorted((await at.text(ended.results)).splitlines()) == ["0 200", "1 200", "2 200", "4 200"]
        assert await at.text(ended.errors) == "3 404\n"
        assert list(ended.reached) == [State.VALIDATING, State.IN_PROGRESS, State.FINALIZING, State.COMPLETED]
        assert ended.asker == b""
        assert at.errors == []
    assert sorted(upstream.targets()) == [f"/users/{n}" for n in range(5)]
