"""The verb: everything in one process, so that nothing is left behind however it ends."""

import argparse
import asyncio
import json
import shlex
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.app.app import GOODBYE, open_app, open_logs
from gateway.app.listening import Addresses, CannotListen
from gateway.client import GatewayClient, GatewayRefused, GatewayUnreachable
from gateway.commands.configuration import load_named
from gateway.commands.demo.running import NoListener, running_services
from gateway.commands.refusal import explain
from gateway.commands.run import UnusableEnvelope, picture, read_envelope
from gateway.commands.screen import look_at, show
from gateway.config.problems import ConfigurationError
from gateway.config.settings import Settings
from gateway.jobs.ports import StorageError
from gateway.logs import Logs

EPILOG = """\
examples:
  gateway demo
  gateway demo --port 8081 --admin-port 9091     (if the usual ones are taken)

Ctrl-C or SIGTERM ends the services and the gateway. Nothing but errors is logged,
unless the configuration says what to log"""

DEFAULT_CONFIG = "config/demo.yaml"
DEFAULT_BATCH = "config/demo.json"
TO_TRY = {
    "requests": [
        {"name": "user", "path": "/users/42"},
        {"name": "orders", "path": "/orders?customer=${result=user:$.id}"},
    ]
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command to `parser`."""
    parser.epilog = EPILOG
    parser.add_argument("-c", "--config", metavar="FILE", default=DEFAULT_CONFIG, help="default: %(default)s")
    parser.add_argument("--batch", metavar="FILE", default=DEFAULT_BATCH, help="the batch to send (default: %(default)s)")
    parser.add_argument("--port", type=read_port, help="the gateway's port, in place of the configuration's")
    parser.add_argument("--admin-port", metavar="PORT", type=read_port, help="the operators' port, likewise")


def main(arguments: argparse.Namespace) -> int:
    """0 after a graceful end, 1 if something could not start or the batch was refused, 2 for a batch that cannot be read."""
    try:
        body, envelope = read_envelope(arguments.batch)
        settings = adapt(load_named(arguments.config), arguments.port, arguments.admin_port)
    except UnusableEnvelope as error:
        show([f"gateway demo: {error}"], sys.stderr)
        return 2
    except ConfigurationError as error:
        show([str(error)], sys.stderr)
        return 1
    logs = open_logs(settings.log)
    logs.take_library_lines()
    try:
        return asyncio.run(demonstrate(settings, arguments, body, envelope, logs))
    except NoListener as error:
        show([f"gateway demo: {error}"], sys.stderr)
    except CannotListen as error:
        show([f"gateway demo: {error} (or give --port and --admin-port)"], sys.stderr)
    except StorageError as error:
        show([f"gateway demo: {error}"], sys.stderr)
    except GatewayRefused as refused:
        show(explain(refused, arguments.batch, body.decode(), look_at(sys.stderr)), sys.stderr)
    except GatewayUnreachable as error:
        show([f"gateway demo: {error}"], sys.stderr)
    finally:
        logs.close()
    return 1


async def demonstrate(settings: Settings, arguments: argparse.Namespace, body: bytes, envelope: Any, logs: Logs) -> int:
    """Start all, send the batch, show what happened, and serve until a signal comes."""
    stop = await_signal()
    urls = {name: upstream.url for name, upstream in settings.upstreams.items()}
    async with running_services(urls, arguments.config) as names, running_app(settings, logs) as addresses:
        show(["", *introduce({name: urls[name] for name in names}, addresses), "", arguments.batch], sys.stdout)
        async with GatewayClient(f"{addresses.public}/batch") as gateway:
            answer = await gateway.batch(body)
        show([*picture(envelope, answer), "", *invite(addresses), ""], sys.stdout)
        await stop.wait()
    return 0


def await_signal() -> asyncio.Event:
    """An event set by the first SIGINT or SIGTERM; a second one does what it does without us, and ends the process."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def end() -> None:
        stop.set()
        for number in numbers:
            loop.remove_signal_handler(number)

    for number in numbers:
        loop.add_signal_handler(number, end)
    return stop


@asynccontextmanager
async def running_app(settings: Settings, logs: Logs) -> AsyncIterator[Addresses]:
    """A gateway in this process. Raises CannotListen."""
    with tempfile.TemporaryDirectory(prefix="gateway-demo-", ignore_cleanup_errors=True) as folder:
        jobs = settings.jobs.model_copy(update={"data": folder})
        app = await open_app(settings.model_copy(update={"jobs": jobs}), logs)
        try:
            yield await app.start()
            await app.drain()
        finally:
            await app.close(GOODBYE)


def introduce(urls: dict[str, str], addresses: Addresses) -> list[str]:
    """What runs where."""
    rows = {**urls, "gateway": f"{addresses.public}/batch", "operators": f"{addresses.admin}/metrics"}
    width = max(map(len, rows))
    return [f"{name:<{width}}  {url}" for name, url in rows.items()]


def invite(addresses: Addresses) -> list[str]:
    """A line to copy into a shell, and how to end."""
    body = shlex.quote(json.dumps(TO_TRY, separators=(",", ":")))
    return [
        "Try it:",
        f"curl -s {addresses.public}/batch -H 'content-type: application/json' -d {body}",
        "",
        "Serving until Ctrl-C.",
    ]


def adapt(settings: Settings, port: int | None, admin_port: int | None) -> Settings:
    """The same settings on other ports (None keeps the one there is), ending at once, and silent where they do not say."""
    server = {"drain_delay": 0.0} | ({} if port is None else {"port": port})
    admin = {} if admin_port is None else {"port": admin_port}
    log = {} if "log" in settings.model_fields_set else {"level": "error"}
    return settings.model_copy(
        update={
            "server": settings.server.model_copy(update=server),
            "admin": settings.admin.model_copy(update=admin),
            "log": settings.log.model_copy(update=log),
        }
    )


def read_port(text: str) -> int:
    """A port number, for argparse; 0 takes any free one."""
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be a port from 0 to 65535, got {text!r}")
    return int(text)
