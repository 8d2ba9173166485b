"""The crew with workers that are only scripts: real processes that say what a worker says."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from gateway.commands.workers.backoff import Backoff
from gateway.commands.workers.channel import Word
from gateway.commands.workers.crew import TRIES, Crew, NeverListened
from gateway.commands.workers.private import open_private_file
from gateway.commands.workers.process import start_worker
from gateway.config.settings import Settings
from gateway.config.upstreams import UpstreamSettings
from gateway.logs import LineWriter, Logs

SCRIPT = """
import json, socket, sys
index, channel, turn = map(int, sys.argv[1:])
channel = socket.socket(fileno=channel)
said = channel.makefile("r")
def say(word, value=None):
    channel.sendall(json.dumps([word, value]).encode() + b"\\n")
def hear():
    return json.loads(said.readline())[0]
"""
OBEDIENT = """
say("listening")
while (word := hear()) != "drain":
    say(word, {"listening": True} if word == "states" else [])
"""

MakeCrew = Callable[..., Crew]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def make_crew(log: Path) -> Iterator[MakeCrew]:
    turn = open_private_file()
    written = os.open(log, os.O_CREAT | os.O_WRONLY)
    logs = Logs(LineWriter(written))
    settings = Settings(upstreams={"users": UpstreamSettings(url="http://127.0.0.1:1", routes=["/users"])})

    def make(script: str, count: int = 1) -> Crew:
        main = (sys.executable, "-c", SCRIPT + script)
        return Crew(count, partial(start_worker, settings=settings, turn=turn, main=main), logs, partial(Backoff, 0.001))

    yield make
    logs.close()
    os.close(written)
    os.close(turn)


async def test_all_listen_before_it_has_started_and_answer(make_crew: MakeCrew) -> None:
    crew = make_crew(OBEDIENT, 2)
    await crew.start()
    assert await crew.ask(Word.STATES) == [{"listening": True}] * 2
    await crew.drain(10)
    await crew.close(10)
    assert crew.has_ended_well


async def test_a_reason_not_to_listen_is_told_without_another_try(make_crew: MakeCrew) -> None:
    crew = make_crew("say('failed', 'the certificate is missing')\nsys.exit(1)", 2)
    with pytest.raises(NeverListened, match=r"^the certificate is missing$"):
        await crew.start()
    await crew.close(10)
    assert [slot.restarts for slot in crew.slots] == [0, 0]


async def test_a_worker_that_never_comes_up_is_given_up(make_crew: MakeCrew) -> None:
    crew = make_crew("sys.exit(3)")
    with pytest.raises(NeverListened, match=f"worker 0 ended {TRIES} times before it listened"):
        await crew.start()
    await crew.close(10)
    assert crew.slots[0].restarts == TRIES - 1


async def test_a_dead_worker_is_replaced_and_the_crew_ends_well(make_crew: MakeCrew) -> None:
    crew = make_crew(OBEDIENT)
    await crew.start()
    first = crew.slots[0].worker
    assert first is not None
    crew.slots[0].filled.clear()
    os.kill(first.pid, signal.SIGKILL)
    await crew.slots[0].filled.wait()
    second = crew.slots[0].worker
    assert second is not None
    assert (second.pid != first.pid, crew.slots[0].restarts) == (True, 1)
    await crew.drain(10)
    await crew.close(10)
    assert crew.has_ended_well


async def test_a_worker_that_does_not_answer_holds_nobody_up_and_is_heard_when_it_does(make_crew: MakeCrew) -> None:
    crew = make_crew(OBEDIENT)
    await crew.start()
    worker = crew.slots[0].worker
    assert worker is not None
    os.kill(worker.pid, signal.SIGSTOP)
    assert await crew.ask(Word.STATES) == [None]
    os.kill(worker.pid, signal.SIGCONT)
    assert await worker.ask(Word.STATES, patience=10) == {"listening": True}
    await crew.drain(10)
    await crew.close(10)


async def test_a_worker_that_ends_badly_in_the_drain_is_not_a_good_end(make_crew: MakeCrew) -> None:
    crew = make_crew(OBEDIENT + "sys.exit(4)")
    await crew.start()
    await crew.drain(10)
    await crew.close(10)
    assert not crew.has_ended_well


async def test_a_worker_that_will_not_end_is_ended(make_crew: MakeCrew) -> None:
    crew = make_crew("say('listening')\nwhile hear(): pass")
    await crew.start()
    await crew.drain(0.05)
    assert not crew.has_ended_well
    await crew.close(patience=0.05)
    assert not crew.has_ended_well
