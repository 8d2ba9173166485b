"""The public listener and its life: listen, drain, stop listening, wait until quiet, close."""

import asyncio
import os
import time
from typing import cast

from aiohttp import web

from gateway.dialects.problem import encode_refusal
from gateway.errors import Refusal
from gateway.messages import Reason
from gateway.server.connection import Clients, Connection
from gateway.server.context import ENTROPY_BYTES, make_context
from gateway.server.exchange import Exchange
from gateway.server.listening import BACKLOG, stop_accepting
from gateway.server.visit import Visit, Wiring
from gateway.server.writing import own_headers

_MALFORMED = Refusal(Reason.BAD_REQUEST, "the request cannot be read as HTTP/1.1 (RFC 9112)")
_CRASHED = Refusal(Reason.INTERNAL, "the gateway failed")
_LAST_LOOK = 0.05
"""Seconds."""


class PublicEdge:
    """Takes batches from clients."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._clients = Clients(self._serve, self._answer_malformed, wiring.settings.patience)
        self._listener: asyncio.Server | None = None
        self._quiet = asyncio.Event()
        self.serving = 0
        self.draining = False

    async def listen(self, host: str, port: int, shared: bool = False) -> int:
        """Take connections; the port listened on. OSError if that port cannot be had.

        `shared`: other processes of this user listen there too, each has its own queue, and the kernel deals connections out.
        """
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._clients, host, port, backlog=BACKLOG, reuse_port=shared)
        self._clients.watch()
        return int(self._listener.sockets[0].getsockname()[1])

    @property
    def is_listening(self) -> bool:
        """Whether new connections are taken."""
        return self._listener is not None and self._listener.is_serving()

    @property
    def connections(self) -> int:
        """Open client connections."""
        return len(self._clients.open)

    def drain(self) -> None:
        """Go on serving, and let every answer end its connection."""
        self.draining = True

    async def stop_listening(self) -> None:
        """Take no more connections, and close those on which no request has begun."""
        self.draining = True
        if self.is_listening and self._listener is not None:
            for client in await stop_accepting(self._listener):
                client.setblocking(False)
                await asyncio.get_running_loop().connect_accepted_socket(self._clients, client)
        # What clients have sent by now is in the kernel's buffers: closing before it is read would reset them.
        await asyncio.sleep(_LAST_LOOK)
        self._clients.close_idle()

    async def wait_until_quiet(self, timeout: float) -> bool:
        """Wait until no request is being served; False if that takes longer than `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while self.serving:
                    self._quiet.clear()
                    await self._quiet.wait()
        except TimeoutError:
            return False
        return True

    async def close(self, timeout: float) -> None:
        """Stop listening, give clients `timeout` seconds to take the rest of their answers, and cut off the others."""
        await self.stop_listening()
        await self._clients.release(timeout)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = cast(Connection, request.protocol)
        connection.begin(request.content)
        self.serving += 1
        try:
            return await Visit(request, self._wiring).serve(self._is_draining)
        finally:
            connection.end()
            self.serving -= 1
            if not self.serving:
                self._quiet.set()

    def _is_draining(self) -> bool:
        return self.draining

    def _answer_malformed(self, request: web.BaseRequest, status: int) -> web.StreamResponse:
        """For what no visit was made of: none of its headers can be believed, so it gets a new context."""
        refusal = _CRASHED if status == _CRASHED.status else _MALFORMED
        trust = self._wiring.settings.trust
        context = make_context({}, request.remote or "", trust, time.time(), os.urandom(ENTROPY_BYTES))
        answer = encode_refusal(refusal, context.request_id)
        self._wiring.report(Exchange(request.method, answer.status, 0.0, context, reason=refusal.reason, detail=refusal.detail))
        headers = (*answer.headers, *own_headers(context.request_id, trust.name))
        return web.Response(status=answer.status, headers=headers, body=answer.body)
