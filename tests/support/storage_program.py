"""A process that uses a data folder, for tests that end it, or leave it no room: `storage_program.py VERB FOLDER`.

hold    opens the folder, says so, and waits until its input ends
write   keeps adding an object and a job with its number, and says each number once it is kept
fill    writes an object of 4 MiB, then one of 4 bytes; says of both whether they failed, and what there is afterwards
"""

import asyncio
import os
import sys
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gateway.batch.job import Chunk, Job, JobKind, State
from gateway.jobs.ports import StorageError
from gateway.storage.opening import Storage, open_storage

LARGE = 4 << 20


def say(words: object) -> None:
    print(words, flush=True)


async def hold(_storage: Storage) -> None:
    say("open")
    await asyncio.to_thread(sys.stdin.read)


async def write(storage: Storage) -> None:
    for number in count():
        await storage.files.put(f"parts/{number}", str(number).encode() * 1000)
        async with storage.records.begin() as tx:
            job = Job(f"{number:032x}", "me", JobKind.NATIVE, State.IN_PROGRESS, 1.0, 2.0, b"x" * 500, lines=number)
            await tx.add_job(job)
            await tx.add_chunks([Chunk(job.id, 0, number, 1, 0, 1)])
        say(number)


async def fill(storage: Storage) -> None:
    try:
        async with storage.files.open("large") as writer:
            for _ in range(LARGE >> 16):
                await writer.write(b"x" * 65_536)
        say("large is there")
    except StorageError as error:
        say(f"large: is_full={error.is_full}: {error}")
    await storage.files.put("small", b"four")
    say([key async for key, _ in storage.files.list("")])


VERBS = {"hold": hold, "write": write, "fill": fill}


async def main(verb: str, folder: str) -> int:
    try:
        storage = await open_storage(folder, os.urandom)
    except StorageError as error:
        say(error)
        return 1
    await VERBS[verb](storage)
    await storage.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
