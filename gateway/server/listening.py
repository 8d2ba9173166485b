"""Closing a listening socket without resetting the clients who have connected and not been accepted yet."""

import asyncio
import os
import socket

BACKLOG = 1024
"""Connections the kernel queues until they are accepted; the kernel's own limit may be lower."""


async def stop_accepting(server: asyncio.Server) -> list[socket.socket]:
    """Close `server` and return the connections that were still queued.

    Closing the last descriptor of a listening socket resets everything queued on it. So a second one is kept while the event
    loop lets go of its own, which takes uvloop a turn or two, and is closed the moment the queue is empty.
    """
    twins = [socket.socket(fileno=os.dup(listener.fileno())) for listener in server.sockets]
    server.close()
    await asyncio.sleep(0.01)
    return [client for twin in twins for client in _empty(twin)]


def _empty(listener: socket.socket) -> list[socket.socket]:
    clients: list[socket.socket] = []
    with listener:
        listener.setblocking(False)
        try:
            while len(clients) < BACKLOG:
                clients.append(listener.accept()[0])
        except OSError:  # BlockingIOError: the queue is empty
            return clients
    return clients
