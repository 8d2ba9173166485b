"""The servers under measurement: how each is started, and what to install for one that cannot be."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.processes import MEASURED, CannotStart, free_ports, running

NGINX = Path(__file__).with_name("nginx")

NGINX_REMEDY = "Debian, Ubuntu: apt-get install nginx libnginx-mod-http-lua lua-cjson"


class Server(NamedTuple):
    """A server that is running."""

    name: str
    pid: int
    port: int


def find_program(name: str) -> str | None:
    """The path of a program. Debian has nginx where only root's PATH looks."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def write_config(folder: Path, port: int, upstreams: dict[str, Any], **sections: Any) -> list[str]:
    """The command that serves `upstreams`, every other setting as it is by default."""
    path = folder / "gateway.yaml"
    settings = {"server": {"port": port, "drain_delay": 0}, "admin": {"port": 0}, "upstreams": upstreams, **sections}
    path.write_text(json.dumps(settings))  # JSON is YAML
    return [sys.executable, "-m", "gateway", "serve", "--config", str(path)]


@contextmanager
def gateway(folder: Path, upstream: int) -> Iterator[Server]:
    """The gateway, with all of its features on."""
    (port,) = free_ports(1)
    origin = {"url": f"http://127.0.0.1:{upstream}", "routes": ["/small", "/list", "/large", "/slow"]}
    with running(write_config(folder, port, {"bench": origin}), port, MEASURED) as pid:
        yield Server("gateway", pid, port)


@contextmanager
def aggregator(_folder: Path, upstream: int) -> Iterator[Server]:
    """A plain aggregator on aiohttp."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "tests.bench.aggregator", str(port), str(upstream)]
    with running(command, port, MEASURED) as pid:
        yield Server("aiohttp", pid, port)


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[Server]:
    """An aggregator in Lua inside nginx. Raises CannotStart with what to install."""
    program = find_program("nginx")
    if program is None:
        raise CannotStart(f"it is not installed\n  {NGINX_REMEDY}")
    (port,) = free_ports(1)
    path = folder / "nginx.conf"
    path.write_text(fill((NGINX / "nginx.conf").read_text(), PORT=port, UPSTREAM=upstream, FOLDER=folder, SOURCES=NGINX))
    try:
        with running([program, "-e", "stderr", "-c", str(path)], port, MEASURED) as pid:
            yield Server("nginx+Lua", pid, port)
    except CannotStart as error:
        raise CannotStart(f"{error}\n  {NGINX_REMEDY}") from None


def fill(template: str, **values: object) -> str:
    """A configuration with its words in capitals replaced."""
    for name, value in values.items():
        template = template.replace(name, str(value))
    return template


PEERS = {"aiohttp": aggregator, "nginx+Lua": nginx}
"""Whom the gateway is compared with, by name."""
