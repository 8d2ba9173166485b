"""Programs that others wrote, each a process of its own: upstreams (nginx, Node's http server, Python's), and clients."""

import asyncio
import hashlib
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.process import PATIENCE, ROOT
from tests.support.upstream import refused_port

FOLDER = Path(__file__).parent / "servers"

LARGE = b"0123456789abcdef" * (3 << 16)
"""What each serves at /users/large."""


class Program(NamedTuple):
    """A server that runs. `uploads`: where it puts what is sent to it, if it does not answer with its digest."""

    url: str
    uploads: Path | None = None

    def digest(self, name: str, body: object) -> str:
        """SHA-256 of what it received as /users/<name>, which it answered with `body`."""
        if self.uploads is not None:
            return hashlib.sha256((self.uploads / name).read_bytes()).hexdigest()
        assert isinstance(body, dict)
        return str(body["digest"])


def find_program(name: str, package: str) -> str:
    """Its path; fails with what to install."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        pytest.fail(f"{name} is missing. Debian, Ubuntu: apt-get install {package}", pytrace=False)
    return path


async def run_program(*command: str | Path, cwd: Path = ROOT) -> str:
    """What a program printed; fails with its complaints."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, cwd=cwd)
    printed, complaints = await process.communicate()
    if process.returncode:
        pytest.fail(f"{command[0]} failed: {complaints.decode()}", pytrace=False)
    return printed.decode()


async def install_packages(wanted: Path) -> Path:
    """Where the npm packages are that the lock file in `wanted` names: installed now, unless they are there already."""
    installed = ROOT / ".venv-node" / wanted.name
    lock, ready = wanted / "package-lock.json", installed / "ready"
    if ready.exists() and ready.read_bytes() == lock.read_bytes():
        return installed
    npm = find_program("npm", "npm")
    shutil.rmtree(installed, ignore_errors=True)
    installed.mkdir(parents=True)
    for name in ("package.json", lock.name):
        shutil.copy(wanted / name, installed)
    await run_program(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=installed)
    shutil.copy(lock, ready)
    return installed


@asynccontextmanager
async def running_program(name: str) -> AsyncIterator[Program]:
    """One of `nginx`, `node`, `python`."""
    match name:
        case "nginx":
            running = _nginx(find_program("nginx", "nginx"))
        case "node":
            running = _script(find_program("node", "nodejs"), FOLDER / "upstream.mjs")
        case _:
            running = _script(sys.executable, FOLDER / "upstream.py")
    async with running as program:
        yield program


@asynccontextmanager
async def _script(interpreter: str, script: Path) -> AsyncIterator[Program]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(interpreter, str(script), stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            port = int(await process.stdout.readline())
        yield Program(f"http://127.0.0.1:{port}")
    finally:
        process.stdin.close()
        await _end(process)


@asynccontextmanager
async def _nginx(path: str) -> AsyncIterator[Program]:
    port = refused_port()
    with tempfile.TemporaryDirectory(prefix="gateway-nginx-") as folder:
        config, users = _fill(Path(folder), port)
        process = await asyncio.create_subprocess_exec(path, "-c", str(config), "-p", folder, stderr=asyncio.subprocess.DEVNULL)
        try:
            await _listen(process, port)
            yield Program(f"http://127.0.0.1:{port}", users)
        finally:
            if process.returncode is None:
                process.terminate()
            await _end(process)


def _fill(folder: Path, port: int) -> tuple[Path, Path]:
    """What nginx serves, and its configuration: the paths of that and of what it serves."""
    users = folder / "www" / "users"
    users.mkdir(parents=True)
    for part in (folder, users.parent, users):  # its workers may be another user than this process
        part.chmod(0o777)
    for way in ("length", "gzip"):
        (users / way).write_text(f'{{"way": "{way}"}}')
    (users / "chunked").write_text('{"way": "folded"}')
    (users / "large").write_bytes(LARGE)
    text = (FOLDER / "nginx.conf").read_text(encoding="utf-8")
    config = folder / "nginx.conf"
    config.write_text(text.replace("FOLDER", str(folder)).replace("PORT", str(port)))
    return config, users


async def _listen(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError as error:
                if process.returncode is not None:
                    raise AssertionError(f"it ended with {process.returncode} before it listened") from error
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return


async def _end(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
